// The part of Worker that follows a life-cycle source.
#include <time.h>

#include "core/log/log.h"
#include "modules/collectors/proc/worker.h"

namespace amoskys::proc {
namespace {

constexpr std::size_t max_captures = 512;  // open folders
constexpr std::size_t max_pending = 16384;

std::uint64_t clock_ns(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

Moment Worker::moment_of(std::uint64_t monotonic_ns) {
    // Apart by the time that the machine has slept.
    const std::uint64_t asleep = clock_ns(CLOCK_BOOTTIME) - clock_ns(CLOCK_MONOTONIC);
    const std::uint64_t uptime = monotonic_ns + asleep;
    return {reader_->wall_ns(uptime), uptime};
}

void Worker::count_source() {
    const auto now = source_->counts();
    const auto lost = now.lost - counted_.lost;
    const auto overruns = now.overruns - counted_.overruns;
    metrics_.add(ProcMetrics::life_cycle, "", now.received - counted_.received);
    metrics_.add(ProcMetrics::life_cycle_lost, "lost", lost);
    metrics_.add(ProcMetrics::life_cycle_lost, "overrun", overruns);
    metrics_.add(ProcMetrics::life_cycle_lost, "malformed", now.malformed - counted_.malformed);
    counted_ = now;
    if (lost == 0 && overruns == 0)
        return;
    lost_ = true;
    if (log::allow("proc.life_cycle_lost"))
        log::warning("proc", "life_cycle_lost",
                     "messages of the kernel about processes were lost; a scan looks what became "
                     "of them",
                     {{"messages", lost}, {"overruns", overruns}});
}

// Arguments first, and those of the newest programs before older ones: an old one has either ended
// or will stay for a while.
void Worker::receive() {
    received_.clear();
    const auto got = source_->receive(received_);
    if (!got) {
        log::warning("proc", "life_cycle_ended", got.error().message + "; from now on scans alone");
        metrics_.add(ProcMetrics::errors, "life_cycle", 1);
        metrics_.set(ProcMetrics::life_cycle_active, 0);
        source_.reset();
        return;
    }
    if (received_.empty())
        return;
    count_source();
    const auto first = pending_.size();
    for (const auto& event : received_)
        pending_.emplace_back().event = event;
    ended_.clear();
    for (std::size_t i = pending_.size(); i-- > first;) {
        auto& pending = pending_[i];
        const auto pid = pending.event.pid;
        pending.dead = ended_.contains(pid);
        if (pending.event.kind == LifeCycleEvent::Kind::exit) {
            ended_.insert(pid);
        } else if (pending.event.kind == LifeCycleEvent::Kind::fork) {
            ended_.erase(pid);
        } else if (pending.event.kind == LifeCycleEvent::Kind::exec && !pending.dead) {
            pending.captured = reader_->capture(pid, pending.capture);
            if (pending.captured && ++captures_ > max_captures)
                pending.capture.folder = FileDescriptor();
        }
    }
}

void Worker::drain() {
    receive();
    while (!pending_.empty()) {
        handle(pending_.front());
        if (pending_.front().captured)
            --captures_;
        pending_.pop_front();
        // New programs do not wait for the old ones' reports.
        if (source_ != nullptr && pending_.size() < max_pending)
            receive();
    }
}

void Worker::handle(Pending& pending) {
    const auto at = moment_of(pending.event.time_ns);
    switch (pending.event.kind) {
        case LifeCycleEvent::Kind::fork:
            handle_fork(pending.event, pending.dead, at);
            break;
        case LifeCycleEvent::Kind::exec:
            handle_exec(pending, at);
            break;
        case LifeCycleEvent::Kind::exit: {
            auto event = tracker_.exited(pending.event.pid, pending.event.status, at);
            event.set_boot_id(reader_->boot_id());
            event.set_observed_by(source_name_);
            add(std::move(event));
            break;
        }
        case LifeCycleEvent::Kind::ids:
            handle_ids(pending.event);
            break;
        case LifeCycleEvent::Kind::ptrace:
            handle_trace(pending.event);
            break;
    }
}

void Worker::handle_fork(const LifeCycleEvent& event, bool dead, const Moment& at) {
    std::optional<std::uint64_t> ticks;
    if (!dead && reader_->open(event.pid, life_sample_) == ReadOutcome::read)
        ticks = life_sample_.event.start_ticks();
    if (!ticks)
        metrics_.add(ProcMetrics::life_cycle_late, "start_ticks", 1);
    if (auto start = tracker_.forked(event.pid, event.other, ticks, at)) {
        start->set_boot_id(reader_->boot_id());
        start->set_observed_by(source_name_);
        add(std::move(*start));
    }
}

void Worker::handle_exec(Pending& pending, const Moment& at) {
    auto& sample = life_sample_;
    const Pid pid = pending.event.pid;
    messaging::ProcessEvent before;
    const auto* const known = tracker_.find(pid);
    const bool has_before = known != nullptr;
    // That it became root was said when it did: before this program's first instruction.
    constexpr auto gained = 1U << static_cast<unsigned>(Rule::privilege_gained);
    const auto said = has_before ? known->observed & gained : 0U;
    if (has_before) {
        before.set_uid(known->last.uid());
        if (known->last.has_euid())
            before.set_euid(known->last.euid());
    }
    bool read = false;
    if (pending.captured && pending.capture.folder)
        read = reader_->read(pid, pending.capture, sample) == ReadOutcome::read;
    if (!read) {
        sample.event.Clear();
        sample.evidence = {};
        sample.event.set_pid(pid);
        sample.event.set_boot_id(reader_->boot_id());
        if (pending.captured)
            reader_->put_captured(pending.capture, sample.event);
        else
            sample.event.add_missing("cmdline:late");
    }
    if (!pending.captured || pending.capture.late())
        metrics_.add(ProcMetrics::life_cycle_late, "cmdline", 1);
    tracker_.executed(sample, read, at);
    tracker_.find(pid)->observed |= said;
    sample.event.set_observed_by(source_name_);
    if (read)
        judge_sample(sample, has_before ? &before : nullptr, nullptr, true);
    add(std::move(sample.event));
}

// Says nothing by itself: it is the moment to look.
void Worker::handle_ids(const LifeCycleEvent& event) {
    const auto* const known = tracker_.find(event.pid);
    const bool risen = event.euid == 0 && known != nullptr && known->last.uid() != 0 &&
                       known->last.has_euid() && known->last.euid() != 0;
    tracker_.refresh_soon(event.pid);
    if (!risen || reader_->open(event.pid, life_sample_) != ReadOutcome::read ||
        reader_->read_details(life_sample_) != ReadOutcome::read)
        return;
    judge_sample(life_sample_, &known->last, nullptr, false);
}

void Worker::handle_trace(const LifeCycleEvent& event) {
    if (event.other == 0)
        return;
    messaging::ProcessEvent tracer;
    if (const auto* const known = tracker_.find(event.other))
        tracer = known->last;
    tracer.set_pid(event.other);
    if (reader_->open(event.pid, life_sample_) != ReadOutcome::read)
        return;
    reader_->read_details(life_sample_);
    judge_sample(life_sample_, nullptr, &tracer, false);
}

}  // namespace amoskys::proc
