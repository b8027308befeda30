// Follows processes from one scan to the next: which one is new, which one has gone, what CPU share
// each had. Identity is (boot id, pid, start ticks): a pid that comes back with other start ticks
// is an EXIT and a START. No files and no clock: fed with samples and times. Not thread-safe.
// Memory: about 400 bytes and the command line (at most max_kept_bytes) per live process.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "modules/collectors/proc/reader.h"

namespace amoskys::proc {

inline constexpr std::size_t max_kept_bytes = 1024;  // of exe and of cmdline, for EXIT events

class ProcessTracker {
  public:
    explicit ProcessTracker(std::uint64_t ticks_per_second) : ticks_per_second_(ticks_per_second) {}

    // Remembers CPU time before the first scan, so that the first scan has a cpu_percent.
    void prime(const Sample& sample);
    // Sets kind and cpu_percent. Where the pid belonged to another process before, that one's EXIT
    // is added.
    void observe(Sample& sample, std::vector<messaging::ProcessEvent>& exits);
    // Ends a scan: processes whose pid is not in `listed` (ascending) have ended. A process that is
    // listed but was not read (denied, or beyond max_processes) is still there.
    void end_scan(std::span<const Pid> listed, std::uint64_t event_time_ns, std::uint64_t uptime_ns,
                  std::vector<messaging::ProcessEvent>& exits);
    std::size_t size() const { return known_.size(); }

  private:
    struct Known {
        std::uint64_t start_ticks = 0, cpu_ticks = 0, uptime_ns = 0;
        bool primed_only = false;      // never sent
        messaging::ProcessEvent last;  // what an EXIT says of it
    };
    double percent(std::uint64_t ticks, std::uint64_t elapsed_ns) const;
    void set_percent(const Known* before, Sample& sample) const;
    static void keep(const Sample& sample, Known& known);
    messaging::ProcessEvent make_exit(Known& known, std::uint64_t event_time_ns,
                                      std::uint64_t uptime_ns) const;

    std::uint64_t ticks_per_second_;
    bool first_scan_ = true;
    std::unordered_map<Pid, Known> known_;
};

}  // namespace amoskys::proc
