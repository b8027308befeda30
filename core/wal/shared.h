// One process must not open a log twice (a rule of LMDB). Who has one open for writing and lives
// beside readers of the same process (`up`: bus and etl) announces it; readers ask here and get the
// announced handle, or open the folder. Thread-safe.
#pragma once

#include <filesystem>
#include <memory>

#include "core/wal/log.h"

namespace amoskys::wal {

// While it lives, open_reader() of this folder answers with `log`. The owner ends the readers
// first.
class AnnouncedLog {
  public:
    AnnouncedLog(std::filesystem::path folder, Log& log);
    ~AnnouncedLog();
    AnnouncedLog(const AnnouncedLog&) = delete;
    AnnouncedLog& operator=(const AnnouncedLog&) = delete;

  private:
    std::filesystem::path folder_;
};

// A log to read from: the announced one, or the folder opened read-only.
Result<std::shared_ptr<Log>> open_reader(const std::filesystem::path& folder, Options options = {});

}  // namespace amoskys::wal
