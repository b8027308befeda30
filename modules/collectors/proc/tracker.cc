#include "modules/collectors/proc/tracker.h"

#include <sys/wait.h>

#include <algorithm>

namespace amoskys::proc {
namespace {

constexpr std::uint64_t young_ns = 60'000'000'000;

// Unchanged from scan to scan for almost all: compared before it is copied.
void keep_text(const std::string& from, std::string* to) {
    if (*to == from)
        return;
    to->clear();
    append_safe_text(from, max_kept_bytes, *to);
}

// Spreads what is due at the same pace over the time: 0.5 to 1 of the period, by the pid.
std::uint64_t spread(std::uint64_t period_ns, Pid pid) {
    const std::uint64_t part = (pid * 0x9e3779b1U) >> 22U;  // of 1024
    return period_ns / 2 + period_ns / 2048 * (part & 1023U);
}

}  // namespace

double ProcessTracker::percent(std::uint64_t ticks, std::uint64_t elapsed_ns) const {
    return 100.0 * static_cast<double>(ticks) / static_cast<double>(options_.ticks_per_second) /
           (static_cast<double>(elapsed_ns) / 1e9);
}

void ProcessTracker::set_percent(const Known* before, Sample& sample) const {
    std::uint64_t ticks = sample.cpu_ticks, since_ns = sample.event.start_ticks() * tick_ns();
    if (before != nullptr && before->uptime_ns != 0) {
        ticks = sample.cpu_ticks > before->cpu_ticks ? sample.cpu_ticks - before->cpu_ticks : 0;
        since_ns = before->uptime_ns;
    } else if (first_scan_) {
        sample.event.add_missing("cpu_percent:first_sample");
        return;
    }
    if (sample.uptime_ns < since_ns + tick_ns()) {
        sample.event.add_missing("cpu_percent:too_short");
        return;
    }
    const double share = percent(ticks, sample.uptime_ns - since_ns);
    sample.event.set_cpu_percent(share);
    sample.event.set_cpu_percent_host(share / options_.cpus);
}

void ProcessTracker::set_ancestors(messaging::ProcessEvent& event) const {
    auto pid = static_cast<Pid>(event.ppid());
    for (int depth = 0; depth < max_ancestors && pid != 0; ++depth) {
        const auto* const known = find(pid);
        if (known == nullptr)
            return;
        if (depth == 0) {
            event.set_parent_exe(known->last.exe());
            event.set_parent_cmdline(known->last.cmdline());
        }
        event.add_ancestors(std::to_string(pid) + " " + known->last.name());
        pid = static_cast<Pid>(known->last.ppid());
    }
}

void ProcessTracker::prime(const Sample& sample) {
    auto& known = known_[static_cast<Pid>(sample.event.pid())];
    known.start_ticks = sample.event.start_ticks();
    known.cpu_ticks = sample.cpu_ticks;
    known.uptime_ns = known.seen_ns = sample.uptime_ns;
    known.primed_only = true;
}

bool ProcessTracker::details_due(const Sample& sample) const {
    const auto* const known = find(static_cast<Pid>(sample.event.pid()));
    return known == nullptr || known->primed_only || options_.details_ns == 0 ||
           known->start_ticks != sample.event.start_ticks() || known->image != sample.image ||
           known->owner != sample.owner || known->last.name() != sample.event.name() ||
           known->details_due_ns <= sample.uptime_ns;
}

void ProcessTracker::keep(const Sample& sample, Known& known) const {
    const auto& event = sample.event;
    known.start_ticks = event.start_ticks();
    known.cpu_ticks = sample.cpu_ticks;
    known.uptime_ns = known.seen_ns = sample.uptime_ns;
    known.primed_only = known.estimated = false;
    auto& last = known.last;
    last.set_ppid(event.ppid());
    last.set_cpu_seconds(event.cpu_seconds());
    if (!sample.detailed)
        return;
    known.image = sample.image;
    known.owner = sample.owner;
    // A new process changes most in its first moments (deletes its file, drops its rights, gives
    // itself a title): it has a second look in the next scan. Later ones are spread over the time.
    const bool young = sample.uptime_ns < event.start_ticks() * tick_ns() + young_ns;
    known.details_due_ns =
        sample.uptime_ns + (known.looks == 0 && young ? 0
                            : known.looks <= 1
                                ? spread(options_.details_ns, static_cast<Pid>(event.pid()))
                                : options_.details_ns);
    known.looks = static_cast<std::uint8_t>(std::min(known.looks + 1, 2));
    last.set_pid(event.pid());
    last.set_start_ts_ns(event.start_ts_ns());
    last.set_start_ticks(event.start_ticks());
    last.set_uid(event.uid());
    last.set_gid(event.gid());
    last.clear_euid();
    if (event.has_euid())
        last.set_euid(event.euid());
    last.clear_missing();
    for (const auto& field : event.missing())
        if (field.starts_with("uid:") || field.starts_with("gid:"))
            last.add_missing(field);
    keep_text(event.name(), last.mutable_name());
    keep_text(event.exe(), last.mutable_exe());
    keep_text(event.cmdline(), last.mutable_cmdline());
    keep_text(event.user(), last.mutable_user());
    keep_text(event.cgroup(), last.mutable_cgroup());
    keep_text(event.container_id(), last.mutable_container_id());
    keep_text(event.boot_id(), last.mutable_boot_id());
}

void ProcessTracker::take_from(const Known& known, messaging::ProcessEvent& event) {
    const auto& last = known.last;
    event.set_partial(true);
    event.set_uid(last.uid());
    event.set_gid(last.gid());
    if (last.has_euid())
        event.set_euid(last.euid());
    event.set_exe(last.exe());
    event.set_user(last.user());
    event.set_cgroup(last.cgroup());
    event.set_container_id(last.container_id());
    for (const auto& field : last.missing())
        event.add_missing(field);
}

messaging::ProcessEvent ProcessTracker::make_exit(Known& known, const Moment& at) const {
    messaging::ProcessEvent event;
    event.Swap(&known.last);
    event.set_kind("EXIT");
    event.set_partial(true);
    event.set_observed_by("POLL");
    event.set_event_time_ns(at.wall_ns);
    const std::uint64_t start_ns = known.start_ticks * tick_ns();
    event.set_duration_ns(at.uptime_ns > start_ns ? at.uptime_ns - start_ns : 0);
    if (known.estimated)
        event.add_missing("start_ticks:estimated");
    return event;
}

void ProcessTracker::observe(Sample& sample, std::vector<messaging::ProcessEvent>& exits) {
    const auto pid = static_cast<Pid>(sample.event.pid());
    auto found = known_.find(pid);
    const auto ticks = sample.event.start_ticks();
    if (found != known_.end() && found->second.start_ticks != ticks) {
        auto& known = found->second;
        const auto apart =
            ticks > known.start_ticks ? ticks - known.start_ticks : known.start_ticks - ticks;
        if (!known.estimated || apart > 1) {
            if (!known.primed_only) {
                exits.push_back(make_exit(known, {sample.event.event_time_ns(), sample.uptime_ns}));
                exits.back().add_missing("exit_code:polled");
            }
            known_.erase(found);
            found = known_.end();
        }
    }
    const bool is_new = found == known_.end();
    sample.event.set_kind(is_new && !first_scan_ ? "START" : "SNAPSHOT");
    sample.event.set_observed_by("POLL");
    set_percent(is_new ? nullptr : &found->second, sample);
    if (sample.detailed)
        set_ancestors(sample.event);
    else if (!is_new)
        take_from(found->second, sample.event);
    keep(sample, is_new ? known_[pid] : found->second);
}

void ProcessTracker::end_scan(std::span<const Pid> listed, std::uint64_t began_uptime_ns,
                              const Moment& now, std::vector<messaging::ProcessEvent>& exits) {
    first_scan_ = false;
    for (auto i = known_.begin(); i != known_.end();) {
        if (i->second.seen_ns >= began_uptime_ns ||
            std::binary_search(listed.begin(), listed.end(), i->first)) {
            ++i;
            continue;
        }
        if (!i->second.primed_only) {
            exits.push_back(make_exit(i->second, now));
            exits.back().add_missing("exit_code:polled");
        }
        i = known_.erase(i);
    }
}

std::optional<messaging::ProcessEvent> ProcessTracker::forked(
    Pid pid, Pid parent, std::optional<std::uint64_t> start_ticks, const Moment& at) {
    const std::uint64_t ticks = start_ticks.value_or(at.uptime_ns / tick_ns());
    const auto before = known_.find(pid);
    if (before != known_.end() && start_ticks && before->second.start_ticks == ticks)
        return std::nullopt;
    Known child;
    child.start_ticks = ticks;
    child.seen_ns = at.uptime_ns;
    child.estimated = !start_ticks;
    // A copy of its parent until it executes something.
    if (const auto* const known = find(parent); known != nullptr)
        child.last = known->last;
    auto& last = child.last;
    last.set_pid(pid);
    last.set_ppid(parent);
    last.set_start_ticks(ticks);
    last.set_start_ts_ns(at.wall_ns - std::min(at.wall_ns, at.uptime_ns) + ticks * tick_ns());
    last.set_cpu_seconds(0);
    auto event = last;
    event.clear_cpu_seconds();
    event.set_kind("START");
    event.set_partial(true);
    event.set_event_time_ns(at.wall_ns);
    if (child.estimated)
        event.add_missing("start_ticks:estimated");
    set_ancestors(event);
    known_[pid] = std::move(child);
    return event;
}

void ProcessTracker::executed(Sample& sample, bool read, const Moment& at) {
    auto& event = sample.event;
    const auto pid = static_cast<Pid>(event.pid());
    auto& known = known_[pid];
    if (read) {
        // No `EXIT` of what the pid was before: that comes from the source, or from a scan.
        known.looks = 0;
        // Else a scan has seen this program already, and said what there is to say.
        if (known.image != sample.image || sample.image == 0)
            known.observed = 0;
        set_ancestors(event);
        sample.detailed = true;
        const auto sampled = known.uptime_ns;
        keep(sample, known);
        known.uptime_ns = sampled;  // no CPU share was sent
    } else {
        known.observed = 0;
        auto& last = known.last;
        event.set_partial(true);
        event.set_ppid(last.ppid());
        event.set_start_ticks(known.start_ticks);
        event.set_start_ts_ns(last.start_ts_ns());
        event.set_boot_id(last.boot_id());
        event.set_uid(last.uid());
        event.set_gid(last.gid());
        event.set_user(last.user());
        event.set_cgroup(last.cgroup());
        event.set_container_id(last.container_id());
        if (known.seen_ns == 0)
            event.add_missing("start_ticks:unknown");
        else if (known.estimated)
            event.add_missing("start_ticks:estimated");
        set_ancestors(event);
        keep_text(event.exe(), last.mutable_exe());
        keep_text(event.cmdline(), last.mutable_cmdline());
        last.set_pid(pid);
    }
    event.set_kind("EXEC");
    event.set_event_time_ns(at.wall_ns);
    known.seen_ns = std::max(known.seen_ns, at.uptime_ns);
}

messaging::ProcessEvent ProcessTracker::exited(Pid pid, std::uint32_t status, const Moment& at) {
    messaging::ProcessEvent event;
    const auto found = known_.find(pid);
    const bool known = found != known_.end();
    const bool never_read = !known || found->second.primed_only;
    if (known) {
        const std::uint64_t start_ticks = found->second.start_ticks;
        event = make_exit(found->second, at);
        event.set_pid(pid);
        event.set_start_ticks(start_ticks);
        known_.erase(found);
    } else {
        event.set_kind("EXIT");
        event.set_partial(true);
        event.set_pid(pid);
        event.set_event_time_ns(at.wall_ns);
        event.add_missing("start_ticks:unknown");
    }
    if (never_read) {
        event.add_missing("ppid:unknown");
        event.add_missing("uid:unknown");
        event.add_missing("gid:unknown");
    }
    const auto code = static_cast<int>(status);
    event.set_exit_code(WIFSIGNALED(code) ? -WTERMSIG(code) : WEXITSTATUS(code));
    event.set_core_dumped(WIFSIGNALED(code) && WCOREDUMP(code));
    return event;
}

const ProcessTracker::Known* ProcessTracker::find(Pid pid) const {
    const auto found = known_.find(pid);
    return found == known_.end() ? nullptr : &found->second;
}

ProcessTracker::Known* ProcessTracker::find(Pid pid) {
    const auto found = known_.find(pid);
    return found == known_.end() ? nullptr : &found->second;
}

void ProcessTracker::refresh_soon(Pid pid) {
    if (auto* const known = find(pid); known != nullptr)
        known->details_due_ns = 0;
}

}  // namespace amoskys::proc
