// The events of a WAL, read beside a running bus, of this process (`up`) or another one.
#pragma once

#include <filesystem>
#include <memory>

#include "core/module/progress.h"
#include "core/wal/log.h"
#include "modules/transformation/etl/etl.h"

namespace amoskys::etl {

class WalSource final : public EventSource {
  public:
    // no_input where there is no log.
    static Result<std::unique_ptr<WalSource>> open(const std::filesystem::path& folder,
                                                   const wire::EventFilter& filter, bool progress);
    // Up to the end that the log had when it was opened or looked at again, so that two readings
    // see the same.
    Result<> read_after(std::uint64_t position, const Visit& visit) override;
    std::uint64_t end() const override { return stats_.newest.value; }
    bool look_again(Duration wait) override;
    std::string mark(std::uint64_t position) override;
    // Looks for more five times a second.
    Result<> follow(const Watch& visit) override;
    Json description() const override;

  private:
    WalSource(std::filesystem::path folder, std::shared_ptr<wal::Log> log,
              const wire::EventFilter& filter, bool progress);

    std::filesystem::path folder_;
    std::shared_ptr<wal::Log> log_;
    wal::LogStats stats_;
    wal::Log::Skip skip_;
    bool progress_;
    wire::DecodeCounts counts_;
};

}  // namespace amoskys::etl
