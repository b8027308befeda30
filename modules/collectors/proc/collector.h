// `agent proc`: every process of this host and the host's own metrics, once per interval. Made by
// the module table; lives as long as the agent. run() is a coroutine on the io thread; all reading
// of /proc happens on one thread of its own, because a file system may be slow to answer statvfs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/module/module.h"
#include "modules/collectors/proc/host.h"
#include "modules/collectors/proc/reader.h"
#include "modules/collectors/proc/tracker.h"

namespace amoskys::proc {

struct ProcConfig {
    Duration interval = std::chrono::seconds(30);
    Duration first_sample = std::chrono::milliseconds(200);
    bool processes = true;
    bool host_metrics = true;
    std::vector<std::string> fields = {"exe", "cmdline", "cgroup", "cwd", "io", "fds"};
    std::uint64_t max_processes = 32768;
    std::string proc_root = "/proc";
    std::string sys_root = "/sys";
    std::string passwd = "/etc/passwd";
};

// Serialized size at which a chunk of processes is handed to the emitter.
inline constexpr std::size_t chunk_bytes = 64 * 1024;

extern const std::span<const metrics::MetricInfo> proc_metrics;

class ProcCollector final : public module::Collector {
  public:
    static Result<std::unique_ptr<module::Collector>> make(const module::CollectorContext& context);
    io::Task<Result<>> run(module::Emitter& emitter) override;

  private:
    struct Metrics;
    ProcCollector(const module::CollectorContext& context, std::unique_ptr<ProcessReader> reader);

    io::Task<Result<>> on_thread(Result<> (ProcCollector::*work)());
    io::Task<Result<>> cycle(module::Emitter& emitter);
    io::Task<Result<>> emit_processes(module::Emitter& emitter);
    io::Task<Result<>> emit_host(module::Emitter& emitter);

    // On the reading thread:
    Result<> prime();
    Result<> start_scan();
    Result<> fill_chunk();
    void add(messaging::ProcessEvent event);
    Result<> read_host();

    const module::CollectorContext context_;
    std::shared_ptr<const ProcConfig> config_;
    std::shared_ptr<Metrics> metrics_;
    std::unique_ptr<ProcessReader> reader_;
    ProcessTracker tracker_;
    HostReader host_reader_;
    HostRecorder host_recorder_;
    std::vector<Pid> pids_;
    std::size_t next_pid_ = 0, end_pid_ = 0;
    bool scan_done_ = true;
    std::vector<messaging::ProcessEvent> exits_;
    std::vector<messaging::ProcessEvent> chunk_;
    std::size_t chunk_size_bytes_ = 0;
    messaging::DeviceTelemetry host_record_;
    Sample sample_;
    io::DedicatedThread thread_;  // last: ends before what it uses
};

}  // namespace amoskys::proc
