#include "modules/collectors/proc/worker.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/log/log.h"

namespace amoskys::proc {
namespace {

constexpr std::size_t processes_between_looks = 16;  // half a millisecond
constexpr auto chunk_age = std::chrono::milliseconds(100);
constexpr auto rescan_pause = std::chrono::seconds(5);  // after a loss

TrackerOptions tracker_options(const ProcConfig& config, const ProcessReader& reader) {
    TrackerOptions out;
    out.ticks_per_second = reader.ticks_per_second();
    out.details_ns = static_cast<std::uint64_t>(config.details_interval.count());
    out.cpus = static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
    return out;
}

}  // namespace

Worker::Worker(const WorkerContext& context, std::unique_ptr<ProcessReader> reader, AllowList allow,
               OutputQueue& queue)
    : context_(context),
      metrics_(context.metrics),
      reader_(std::move(reader)),
      allow_(std::move(allow)),
      queue_(queue),
      tracker_(tracker_options(context.config, *reader_)),
      own_pid_(static_cast<std::uint64_t>(::getpid())),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Worker::~Worker() = default;

void Worker::follow(std::unique_ptr<LifeCycleSource> source) {
    source_ = std::move(source);
    source_name_ = source_->name();
}

void Worker::stop() {
    stopping_ = true;
    const std::uint64_t one = 1;
    const ssize_t written = ::write(wake_.get(), &one, sizeof one);
    static_cast<void>(written);  // full: it wakes already
    queue_.close();
}

Result<> Worker::prime() {
    AMOSKYS_TRY(pids, reader_->list());
    for (const Pid pid : pids)
        if (reader_->open(pid, sample_) == ReadOutcome::read)
            tracker_.prime(sample_);
    return {};
}

void Worker::add(messaging::ProcessEvent&& event) {
    chunk_size_bytes_ += event.ByteSizeLong() + 8;  // tag and length in the batch
    chunk_.push_back(std::move(event));
    if (chunk_size_bytes_ >= chunk_bytes)
        hand_over();
}

void Worker::add_exits() {
    for (auto& event : exits_)
        add(std::move(event));
    exits_.clear();
}

// In runs: a scan's events are almost all of one kind.
void Worker::count_kinds() {
    for (std::size_t i = 0, end = 0; i < chunk_.size(); i = end) {
        while (end < chunk_.size() && chunk_[end].kind() == chunk_[i].kind())
            ++end;
        metrics_.add(ProcMetrics::events, chunk_[i].kind(), end - i);
    }
}

void Worker::hand_over() {
    Output output;
    if (!chunk_.empty()) {
        metrics_.add(ProcMetrics::bytes, "", chunk_size_bytes_);
        count_kinds();
        output.processes.swap(chunk_);
        chunk_.reserve(output.processes.size());  // the next one is about as long
        chunk_size_bytes_ = 0;
    }
    if (observations_.events_size() != 0) {
        metrics_.add(ProcMetrics::records, "SECURITY", 1);
        metrics_.add(ProcMetrics::bytes, "", observations_.ByteSizeLong());
        output.record.emplace();
        output.record->Swap(&observations_);
    }
    if (!output.processes.empty() || output.record)
        queue_.push(std::move(output));
}

Result<> Worker::scan() {
    last_scan_ = context_.clock.steady();
    lost_ = false;
    reader_->begin(context_.clock);
    const auto began_ns = reader_->uptime_ns();
    const auto bytes_before = reader_->bytes_read();
    auto pids = reader_->list();
    if (!pids)
        return make_error(ErrorKind::unavailable, "proc_unreadable", pids.error().message);
    if (pids->empty())
        return make_error(
            ErrorKind::unavailable, "proc_empty",
            context_.config.proc_root + ": no process is listed; is /proc mounted there?");
    const auto end = std::min<std::size_t>(pids->size(), context_.config.max_processes);
    metrics_.add(ProcMetrics::skipped, "max_processes", pids->size() - end);
    for (std::size_t i = 0; i < end && !stopping_; ++i) {
        if (source_ != nullptr && i % processes_between_looks == 0)
            drain();
        scan_one((*pids)[i]);
    }
    const auto now_ns = reader_->uptime_ns();
    if (!stopping_)
        tracker_.end_scan(*pids, began_ns, {reader_->wall_ns(now_ns), now_ns}, exits_);
    add_exits();
    hand_over();
    metrics_.set(ProcMetrics::processes, static_cast<double>(tracker_.size()));
    metrics_.add(ProcMetrics::read_bytes, "", reader_->bytes_read() - bytes_before);
    metrics_.add(ProcMetrics::hashed_bytes, "", reader_->bytes_hashed() - hashed_bytes_);
    hashed_bytes_ = reader_->bytes_hashed();
    return {};
}

void Worker::scan_one(Pid pid) {
    auto outcome = reader_->open(pid, sample_);
    if (outcome == ReadOutcome::read) {
        // With a source, what is over has had its EXIT, though its parent has not asked for it yet.
        const bool over = source_ != nullptr && (sample_.state == 'Z' || sample_.state == 'X') &&
                          tracker_.find(pid) == nullptr;
        if (over)
            return;
        if (tracker_.details_due(sample_))
            outcome = reader_->read_details(sample_);
    }
    if (outcome == ReadOutcome::read)
        outcome = reader_->read_numbers(sample_);
    if (outcome != ReadOutcome::read) {
        constexpr std::string_view reasons[] = {"", "gone", "denied", "malformed"};
        metrics_.add(ProcMetrics::skipped, reasons[static_cast<std::size_t>(outcome)], 1);
        return;
    }
    std::optional<messaging::ProcessEvent> before;
    if (sample_.detailed)
        if (const auto* const known = tracker_.find(pid);
            known != nullptr && known->start_ticks == sample_.event.start_ticks()) {
            before.emplace().set_uid(known->last.uid());
            if (known->last.has_euid())
                before->set_euid(known->last.euid());
        }
    tracker_.observe(sample_, exits_);
    add_exits();
    if (sample_.detailed)
        judge_sample(sample_, before ? &*before : nullptr, nullptr, false);
    add(std::move(sample_.event));
}

Result<> Worker::watch(Time until) {
    auto oldest = Time::max();  // of the chunk
    while (!stopping_ && source_ != nullptr) {
        drain();
        if (source_ == nullptr)
            break;
        const auto now = context_.clock.steady();
        if (now >= until || (lost_ && now - last_scan_ >= rescan_pause))
            break;
        if (chunk_.empty() && observations_.events_size() == 0) {
            oldest = Time::max();
        } else if (oldest == Time::max()) {
            oldest = now;
        } else if (now - oldest >= chunk_age) {
            hand_over();
            oldest = Time::max();
        }
        auto wait = until - now;
        if (oldest != Time::max())
            wait = std::min<Time::duration>(wait, oldest + chunk_age - now);
        pollfd ready[] = {{source_->descriptor(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
        const auto wait_ms = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
        if (::poll(ready, 2, static_cast<int>(std::clamp<long>(wait_ms, 0, 60'000))) < 0 &&
            errno != EINTR)
            return errno_error("proc_watch", "cannot wait for process events", errno);
    }
    hand_over();
    return {};
}

bool Worker::within_limit() {
    constexpr unsigned per_minute = 600;
    constexpr std::uint64_t minute_ns = 60'000'000'000;
    const auto minute = context_.clock.now_ns() / minute_ns;
    if (minute != limit_minute_)
        in_minute_ = 0;
    limit_minute_ = minute;
    return ++in_minute_ <= per_minute;
}

// After the tracker knows the sample: what was said of a program is not said again.
void Worker::judge_sample(const Sample& sample, const messaging::ProcessEvent* before,
                          const messaging::ProcessEvent* tracer, bool executed) {
    auto* const known = tracker_.find(static_cast<Pid>(sample.event.pid()));
    if (!context_.config.security || known == nullptr || !sample.program() ||
        sample.event.pid() == own_pid_)
        return;
    const auto* const parent = tracker_.find(static_cast<Pid>(sample.event.ppid()));
    const auto* const parent_event = parent == nullptr ? nullptr : &parent->last;
    const auto* const traced_by = tracer != nullptr || !sample.event.has_tracer_pid()
                                      ? nullptr
                                      : tracker_.find(static_cast<Pid>(sample.event.tracer_pid()));
    const Subject subject{sample.event,
                          sample.evidence,
                          before != nullptr ? before : parent_event,
                          parent_event,
                          traced_by != nullptr ? &traced_by->last : tracer,
                          executed};
    for (const auto& observation : judge(subject)) {
        const auto bit = 1U << static_cast<unsigned>(observation.rule);
        if ((known->observed & bit) != 0)
            continue;
        known->observed |= bit;
        const bool allowed = allow_.allows(observation, sample.event);
        const bool held_back = !allowed && !within_limit();
        metrics_.add(ProcMetrics::observations,
                     allowed     ? "allowed"
                     : held_back ? "held_back"
                                 : info_of(observation.rule).name,
                     1);
        if (allowed || held_back)
            continue;
        if (observations_.events_size() == 0) {
            observations_.set_device_id(context_.host_name);
            observations_.set_device_type("ENDPOINT");
            observations_.set_protocol("PROC");
            observations_.set_collection_agent("proc");
            observations_.set_timestamp_ns(sample.event.event_time_ns());
        }
        add_security_event(observation, subject, context_.host_name, observations_);
    }
}

}  // namespace amoskys::proc
