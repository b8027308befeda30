// The reading thread's part of agent proc: scans /proc, follows the life-cycle source, judges, and
// hands everything to the queue. Made and owned by ProcCollector; every function runs on its
// thread, stop() on any.
//
// While a scan runs, the source is looked at after every few processes, and what a program was told
// (its arguments) is read before anything else: a process may live for less than a millisecond.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/base/clock.h"
#include "modules/collectors/proc/config.h"
#include "modules/collectors/proc/life_cycle.h"
#include "modules/collectors/proc/metrics.h"
#include "modules/collectors/proc/output_queue.h"
#include "modules/collectors/proc/reader.h"
#include "modules/collectors/proc/security.h"
#include "modules/collectors/proc/tracker.h"

namespace amoskys::proc {

struct WorkerContext {
    const ProcConfig& config;
    const Clock& clock;
    metrics::Registry& metrics;
    std::string host_name;
};

class Worker {
  public:
    using Time = std::chrono::steady_clock::time_point;
    Worker(const WorkerContext& context, std::unique_ptr<ProcessReader> reader, AllowList allow,
           OutputQueue& queue);
    ~Worker();

    // A source that fails is given up; scans go on.
    void follow(std::unique_ptr<LifeCycleSource> source);
    const ProcessReader& reader() const { return *reader_; }
    bool follows() const { return source_ != nullptr; }
    Result<> prime();
    Result<> scan();
    // What the source says until then, until stop(), or until something was lost and a scan should
    // look what became of it.
    Result<> watch(Time until);
    void stop();
    // Takes what the source has and handles all of it.
    void drain();
    void hand_over();

  private:
    struct Pending {
        LifeCycleEvent event;
        bool captured = false, dead = false;  // dead: its exit is known already
        Capture capture;
    };

    void add(messaging::ProcessEvent&& event);
    void add_exits();
    void count_kinds();
    void scan_one(Pid pid);
    void count_source();
    void receive();
    void handle(Pending& pending);
    void handle_fork(const LifeCycleEvent& event, bool dead, const Moment& at);
    void handle_exec(Pending& pending, const Moment& at);
    void handle_ids(const LifeCycleEvent& event);
    void handle_trace(const LifeCycleEvent& event);
    Moment moment_of(std::uint64_t monotonic_ns);
    void judge_sample(const Sample& sample, const messaging::ProcessEvent* before,
                      const messaging::ProcessEvent* tracer, bool executed);
    bool within_limit();

    WorkerContext context_;
    ProcMetrics metrics_;
    std::unique_ptr<ProcessReader> reader_;
    AllowList allow_;
    OutputQueue& queue_;
    ProcessTracker tracker_;
    std::unique_ptr<LifeCycleSource> source_;
    std::string source_name_;
    LifeCycleCounts counted_;
    std::uint64_t own_pid_;
    Sample sample_, life_sample_;
    std::vector<LifeCycleEvent> received_;
    std::deque<Pending> pending_;
    std::size_t captures_ = 0;
    std::unordered_set<Pid> ended_;
    std::vector<messaging::ProcessEvent> exits_, chunk_;
    std::size_t chunk_size_bytes_ = 0;
    messaging::DeviceTelemetry observations_;
    std::uint64_t limit_minute_ = 0;
    unsigned in_minute_ = 0;
    bool lost_ = false;
    Time last_scan_{};
    std::uint64_t hashed_bytes_ = 0;
    std::atomic<bool> stopping_{false};
    FileDescriptor wake_;  // eventfd
};

}  // namespace amoskys::proc
