// One process must not open a log twice (a rule of LMDB). Who has one open for writing and lives
// beside readers of the same process (`up`: bus and etl) announces it; readers ask here and get the
// announced handle, or one that they share among themselves. Thread-safe.
#pragma once

#include <filesystem>
#include <memory>

#include "core/wal/log.h"

namespace amoskys::wal {

// While it lives, open_reader() of this folder answers with `log`.
class AnnouncedLog {
  public:
    AnnouncedLog(std::filesystem::path folder, Log& log);
    ~AnnouncedLog();  // after the log
    // Before the log is closed: waits until the readers have given their handles back; who asks
    // from then on gets unavailable "log_closing".
    void end_readers();
    AnnouncedLog(const AnnouncedLog&) = delete;
    AnnouncedLog& operator=(const AnnouncedLog&) = delete;

  private:
    std::filesystem::path folder_;
};

// Whether open_reader() gives the announced log, which is to be given back soon.
bool is_announced(const std::filesystem::path& folder);

// A log to read from: the announced one, or the folder opened read-only, once for all that read it
// at a time (with the options of the first).
Result<std::shared_ptr<Log>> open_reader(const std::filesystem::path& folder, Options options = {});

}  // namespace amoskys::wal
