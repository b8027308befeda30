#include "core/wal/writer.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <span>
#include <thread>

namespace amoskys::wal {

namespace {

constexpr std::size_t queue_requests_max = 65536;
constexpr std::uint64_t group_bytes_max = 32ULL << 20;
constexpr std::size_t group_records_max = 8192;

struct Job {
    WriteRequest request;
    std::function<void(Log&)> task;  // instead of a request
    std::uint64_t bytes = 0;
};

std::uint64_t bytes_of(const WriteRequest& request) {
    std::uint64_t bytes = 0;
    for (const OwnedAppend& record : request.records)
        bytes += record.stored.size() + sizeof record + record.device_hashes.size() * 8;
    for (const StateUpdate& state : request.states)
        bytes += state.key.size() + state.value.size();
    return bytes;
}

}  // namespace

Append view_of(const OwnedAppend& owned) {
    Append out;
    out.kind = owned.kind;
    out.flags = owned.flags;
    out.stored = as_bytes(owned.stored);
    out.digest = owned.digest;
    out.signature = as_bytes(owned.signature);
    out.source_hash = owned.source_hash;
    out.first_event_ns = owned.first_event_ns;
    out.last_event_ns = owned.last_event_ns;
    out.device_hashes = owned.device_hashes;
    out.dedup_key = owned.dedup_key;
    return out;
}

struct Writer::Impl {
    Impl(Log& the_log, std::uint64_t max_bytes) : log(the_log), queue_max_bytes(max_bytes) {}

    void run();
    std::vector<Job> take_group();
    void commit(std::span<const Job> jobs);
    void complete(std::span<const Job> jobs, const Result<Appended>& result);

    Log& log;
    const std::uint64_t queue_max_bytes;
    mutable std::mutex mutex;
    std::condition_variable wake;
    std::deque<Job> queue;
    bool stopping = false;
    WriterStats stats;
    std::function<void(double, std::size_t)> observer;
    std::thread thread;
};

Writer::Writer(Log& log, std::uint64_t queue_max_bytes)
    : impl_(std::make_unique<Impl>(log, queue_max_bytes)) {
    impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

Writer::~Writer() {
    stop();
}

bool Writer::submit(WriteRequest request) {
    const std::uint64_t bytes = bytes_of(request);
    const std::lock_guard hold(impl_->mutex);
    const bool full = impl_->stats.queued_bytes != 0 &&
                      impl_->stats.queued_bytes + bytes > impl_->queue_max_bytes;
    if (impl_->stopping || full || impl_->queue.size() >= queue_requests_max)
        return false;
    impl_->stats.queued_bytes += bytes;
    impl_->queue.push_back({std::move(request), nullptr, bytes});
    impl_->wake.notify_one();
    return true;
}

bool Writer::run_between_commits(std::function<void(Log&)> task) {
    const std::lock_guard hold(impl_->mutex);
    if (impl_->stopping || impl_->queue.size() >= queue_requests_max)
        return false;
    impl_->queue.push_back({{}, std::move(task), 0});
    impl_->wake.notify_one();
    return true;
}

void Writer::stop() {
    {
        const std::lock_guard hold(impl_->mutex);
        impl_->stopping = true;
        impl_->wake.notify_one();
    }
    if (impl_->thread.joinable())
        impl_->thread.join();
}

WriterStats Writer::stats() const {
    const std::lock_guard hold(impl_->mutex);
    return impl_->stats;
}

void Writer::on_commit(std::function<void(double, std::size_t)> observer) {
    const std::lock_guard hold(impl_->mutex);
    impl_->observer = std::move(observer);
}

void Writer::Impl::run() {
    for (;;) {
        std::vector<Job> jobs = take_group();
        if (jobs.empty())
            return;
        if (jobs.front().task)
            jobs.front().task(log);
        else
            commit(jobs);
    }
}

// All that waits, up to the limits of a group; a task stands alone. Empty: stopped and drained.
std::vector<Job> Writer::Impl::take_group() {
    std::unique_lock hold(mutex);
    wake.wait(hold, [this] { return stopping || !queue.empty(); });
    std::vector<Job> jobs;
    std::uint64_t bytes = 0;
    std::size_t records = 0;
    while (!queue.empty()) {
        const Job& next = queue.front();
        const bool fits = bytes + next.bytes <= group_bytes_max &&
                          records + next.request.records.size() <= group_records_max;
        if (!jobs.empty() && (next.task || !fits))
            break;
        bytes += next.bytes;
        records += next.request.records.size();
        jobs.push_back(std::move(queue.front()));
        queue.pop_front();
        if (jobs.back().task)
            break;
    }
    return jobs;
}

void Writer::Impl::commit(std::span<const Job> jobs) {
    Group group;
    std::uint64_t bytes = 0;
    for (const Job& job : jobs) {
        for (const OwnedAppend& record : job.request.records)
            group.records.push_back(view_of(record));
        const auto& states = job.request.states;
        group.states.insert(group.states.end(), states.begin(), states.end());
        const auto& cursors = job.request.cursors;
        group.cursors.insert(group.cursors.end(), cursors.begin(), cursors.end());
        bytes += job.bytes;
    }
    const auto begin = std::chrono::steady_clock::now();
    const Result<Appended> result = log.append(group);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (!result && result.error().kind == ErrorKind::usage && jobs.size() > 1) {
        // One request can never be stored; the others shall not fail with it.
        for (std::size_t i = 0; i < jobs.size(); ++i)
            commit(jobs.subspan(i, 1));
        return;
    }
    std::function<void(double, std::size_t)> observe;
    {
        const std::lock_guard hold(mutex);
        stats.queued_bytes -= bytes;
        stats.last_commit_seconds = seconds;
        ++(result ? stats.commits : stats.failed_commits);
        stats.records += result ? group.records.size() : 0;
        observe = observer;
    }
    complete(jobs, result);
    if (observe)
        observe(seconds, group.records.size());
}

void Writer::Impl::complete(std::span<const Job> jobs, const Result<Appended>& result) {
    std::uint64_t next = result ? result->first.value : 0;
    for (const Job& job : jobs) {
        const std::uint64_t first = next;
        next += job.request.records.size();
        if (!job.request.done)
            continue;
        if (result)
            job.request.done(Appended{{first}, {next - 1}});
        else
            job.request.done(result);
    }
}

}  // namespace amoskys::wal
