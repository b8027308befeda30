// `agent proc`: the processes of this host, what happens to them, and the host's own metrics. Made
// by the module table; lives as long as the agent. run() is a coroutine on the io thread that only
// emits; all reading is the Worker's, on one thread of its own, because a file system may be slow
// to answer and a process may be quick to end. That thread gives up the capabilities that reading
// does not need.
#pragma once

#include <memory>

#include "core/module/module.h"
#include "modules/collectors/proc/config.h"
#include "modules/collectors/proc/host.h"
#include "modules/collectors/proc/metrics.h"
#include "modules/collectors/proc/output_queue.h"
#include "modules/collectors/proc/worker.h"

namespace amoskys::proc {

class ProcCollector final : public module::Collector {
  public:
    static Result<std::unique_ptr<module::Collector>> make(const module::CollectorContext& context);
    io::Task<Result<>> run(module::Emitter& emitter) override;

  private:
    ProcCollector(const module::CollectorContext& context, std::unique_ptr<ProcessReader> reader,
                  AllowList allow);

    io::Task<Result<>> on_thread(Result<> (ProcCollector::*work)());
    io::Task<Result<>> produce();
    io::Task<Result<>> cycles();
    io::Task<Result<>> consume(module::Emitter& emitter);

    // On the reading thread:
    Result<> open_source();
    Result<> prime();
    Result<> scan();
    Result<> watch();
    void read_host(messaging::DeviceTelemetry& record);

    const module::CollectorContext context_;
    std::shared_ptr<const ProcConfig> config_;
    ProcMetrics metrics_;
    std::shared_ptr<io::Event> wake_;
    OutputQueue queue_;
    Worker worker_;
    HostReader host_reader_;
    HostRecorder host_recorder_;
    Worker::Time due_{};
    bool produced_ = false;
    io::DedicatedThread thread_;  // last: ends before what it uses
};

}  // namespace amoskys::proc
