// Follows processes: which one is new, which one has gone, what CPU share each had, whose details
// are due. Fed by scans and, where there is one, by a life-cycle source; what one of them missed
// the other completes. Identity is (boot id, pid, start ticks): a pid that comes back with other
// start ticks is an EXIT and a START. No files and no clock: fed with samples and times. Not
// thread-safe. Memory: about 1.2 KiB and the command line (at most max_kept_bytes) per live
// process.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "modules/collectors/proc/life_cycle.h"
#include "modules/collectors/proc/reader.h"

namespace amoskys::proc {

inline constexpr std::size_t max_kept_bytes = 1024;  // of exe and of cmdline, for later events
inline constexpr int max_ancestors = 16;

struct TrackerOptions {
    std::uint64_t ticks_per_second = 100;
    std::uint64_t details_ns = 0;  // read details again so long after the last time; 0 = always
    unsigned cpus = 1;
};

// The moment of something, on both clocks.
struct Moment {
    std::uint64_t wall_ns = 0, uptime_ns = 0;
};

class ProcessTracker {
  public:
    struct Known {
        std::uint64_t start_ticks = 0, cpu_ticks = 0;
        std::uint64_t uptime_ns = 0;  // of the CPU time; 0 = not sampled yet
        std::uint64_t seen_ns = 0;    // uptime when it was last known to live
        std::uint64_t details_due_ns = 0;
        std::uint64_t image = 0, owner = 0;
        std::uint32_t observed = 0;    // rules that have spoken of it (one bit each)
        std::uint8_t looks = 0;        // at its details
        bool primed_only = false;      // never sent
        bool estimated = false;        // start_ticks are from the time of its fork
        messaging::ProcessEvent last;  // what later events say of it
    };

    explicit ProcessTracker(const TrackerOptions& options) : options_(options) {}

    // Remembers CPU time before the first scan, so that the first scan has a cpu_percent.
    void prime(const Sample& sample);
    // Whether an opened sample needs its details: new, another program, name or owner, or due.
    bool details_due(const Sample& sample) const;
    // Sets kind, CPU shares and ancestors, and what a sample without details takes from before.
    // Where the pid belonged to another process before, that one's EXIT is added.
    void observe(Sample& sample, std::vector<messaging::ProcessEvent>& exits);
    // Ends a scan that began at `began`: processes whose pid is not in `listed` (ascending) have
    // ended. A process that is listed but was not read is still there, and so is one that was seen
    // after the list was made.
    void end_scan(std::span<const Pid> listed, std::uint64_t began_uptime_ns, const Moment& now,
                  std::vector<messaging::ProcessEvent>& exits);

    // Of a life-cycle source. start_ticks is empty where the process was gone already: estimated
    // from the fork's time then. Nothing where a scan has sent its START before.
    std::optional<messaging::ProcessEvent> forked(Pid pid, Pid parent,
                                                  std::optional<std::uint64_t> start_ticks,
                                                  const Moment& at);
    // The sample of a program that has just begun; `read` is false where only the captured texts
    // are there.
    void executed(Sample& sample, bool read, const Moment& at);
    // status as wait(2) gives it.
    messaging::ProcessEvent exited(Pid pid, std::uint32_t status, const Moment& at);

    const Known* find(Pid pid) const;
    Known* find(Pid pid);
    std::size_t size() const { return known_.size(); }
    void refresh_soon(Pid pid);  // its details are due at the next scan

  private:
    std::uint64_t tick_ns() const { return 1'000'000'000 / options_.ticks_per_second; }
    double percent(std::uint64_t ticks, std::uint64_t elapsed_ns) const;
    void set_percent(const Known* before, Sample& sample) const;
    void set_ancestors(messaging::ProcessEvent& event) const;
    void keep(const Sample& sample, Known& known) const;
    static void take_from(const Known& known, messaging::ProcessEvent& event);
    messaging::ProcessEvent make_exit(Known& known, const Moment& at) const;

    TrackerOptions options_;
    bool first_scan_ = true;
    std::unordered_map<Pid, Known> known_;
};

}  // namespace amoskys::proc
