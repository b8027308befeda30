#include "modules/collectors/proc/tracker.h"

#include <algorithm>

namespace amoskys::proc {
namespace {

constexpr std::uint64_t ns_per_second = 1'000'000'000;

std::string kept(const std::string& text) {
    std::string out;
    append_safe_text(text, max_kept_bytes, out);
    return out;
}

}  // namespace

double ProcessTracker::percent(std::uint64_t ticks, std::uint64_t elapsed_ns) const {
    return 100.0 * static_cast<double>(ticks) / static_cast<double>(ticks_per_second_) /
           (static_cast<double>(elapsed_ns) / 1e9);
}

void ProcessTracker::set_percent(const Known* before, Sample& sample) const {
    const std::uint64_t tick_ns = ns_per_second / ticks_per_second_;
    std::uint64_t ticks = sample.cpu_ticks, since_ns = sample.event.start_ticks() * tick_ns;
    if (before != nullptr) {
        ticks = sample.cpu_ticks > before->cpu_ticks ? sample.cpu_ticks - before->cpu_ticks : 0;
        since_ns = before->uptime_ns;
    } else if (first_scan_) {
        sample.event.add_missing("cpu_percent:first_sample");
        return;
    }
    if (sample.uptime_ns < since_ns + tick_ns) {
        sample.event.add_missing("cpu_percent:too_short");
        return;
    }
    sample.event.set_cpu_percent(percent(ticks, sample.uptime_ns - since_ns));
}

void ProcessTracker::prime(const Sample& sample) {
    auto& known = known_[static_cast<Pid>(sample.event.pid())];
    known.start_ticks = sample.event.start_ticks();
    known.cpu_ticks = sample.cpu_ticks;
    known.uptime_ns = sample.uptime_ns;
    known.primed_only = true;
}

void ProcessTracker::keep(const Sample& sample, Known& known) {
    const auto& event = sample.event;
    known.start_ticks = event.start_ticks();
    known.cpu_ticks = sample.cpu_ticks;
    known.uptime_ns = sample.uptime_ns;
    known.primed_only = false;
    auto& last = known.last;
    last.set_pid(event.pid());
    last.set_ppid(event.ppid());
    last.set_start_ts_ns(event.start_ts_ns());
    last.set_start_ticks(event.start_ticks());
    last.set_cpu_seconds(event.cpu_seconds());
    last.set_uid(event.uid());
    last.set_gid(event.gid());
    last.clear_missing();
    for (const auto& field : event.missing())
        if (field.starts_with("uid:") || field.starts_with("gid:"))
            last.add_missing(field);
    // Unchanged from scan to scan for almost all: compare before copying.
    const auto copy = [](const std::string& from, std::string* to) {
        if (*to != from)
            *to = kept(from);
    };
    copy(event.name(), last.mutable_name());
    copy(event.exe(), last.mutable_exe());
    copy(event.cmdline(), last.mutable_cmdline());
    copy(event.user(), last.mutable_user());
    copy(event.container_id(), last.mutable_container_id());
    copy(event.boot_id(), last.mutable_boot_id());
}

messaging::ProcessEvent ProcessTracker::make_exit(Known& known, std::uint64_t event_time_ns,
                                                  std::uint64_t uptime_ns) const {
    messaging::ProcessEvent event;
    event.Swap(&known.last);
    event.set_kind("EXIT");
    event.set_event_time_ns(event_time_ns);
    const std::uint64_t start_ns = known.start_ticks * (ns_per_second / ticks_per_second_);
    event.set_duration_ns(uptime_ns > start_ns ? uptime_ns - start_ns : 0);
    event.add_missing("exit_code:polled");
    return event;
}

void ProcessTracker::observe(Sample& sample, std::vector<messaging::ProcessEvent>& exits) {
    const auto pid = static_cast<Pid>(sample.event.pid());
    auto found = known_.find(pid);
    if (found != known_.end() && found->second.start_ticks != sample.event.start_ticks()) {
        if (!found->second.primed_only)
            exits.push_back(
                make_exit(found->second, sample.event.event_time_ns(), sample.uptime_ns));
        known_.erase(found);
        found = known_.end();
    }
    const bool is_new = found == known_.end();
    sample.event.set_kind(is_new && !first_scan_ ? "START" : "SNAPSHOT");
    set_percent(is_new ? nullptr : &found->second, sample);
    keep(sample, is_new ? known_[pid] : found->second);
}

void ProcessTracker::end_scan(std::span<const Pid> listed, std::uint64_t event_time_ns,
                              std::uint64_t uptime_ns,
                              std::vector<messaging::ProcessEvent>& exits) {
    first_scan_ = false;
    for (auto i = known_.begin(); i != known_.end();) {
        if (std::binary_search(listed.begin(), listed.end(), i->first)) {
            ++i;
            continue;
        }
        if (!i->second.primed_only)
            exits.push_back(make_exit(i->second, event_time_ns, uptime_ns));
        i = known_.erase(i);
    }
}

}  // namespace amoskys::proc
