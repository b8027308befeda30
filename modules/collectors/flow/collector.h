// `agent flow`: packets of interfaces or capture files to flows. Made by the module table; lives as
// long as the agent. run() is a coroutine on the io thread; capture, decoding and the flow table
// are on one thread of their own, which gives up all capabilities once the interfaces are open.
// While the emitter makes the coroutine wait, that thread rests too: the kernel's ring fills, and
// what it then drops is counted.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/module/module.h"
#include "modules/collectors/flow/detector.h"
#include "modules/collectors/flow/engine.h"
#include "modules/collectors/flow/event.h"
#include "modules/collectors/flow/source.h"

namespace amoskys::flow {

struct FlowConfig {
    std::vector<std::string> read;  // files; "-" is stdin
    std::vector<std::string> interfaces;
    std::string filter;
    std::uint64_t snapshot = 65535;
    config::Size buffer{16U << 20U};
    bool promiscuous = true;
    Duration duration = std::chrono::seconds(10);
    std::string checksums = "auto";
    config::Size table_max{128U << 20U};
    Duration tcp_timeout = std::chrono::seconds(300);
    Duration udp_timeout = std::chrono::seconds(60);
    Duration dns_timeout = std::chrono::seconds(10);
    Duration icmp_timeout = std::chrono::seconds(60);
    Duration active_timeout = std::chrono::seconds(1800);
    Duration attempt_timeout = std::chrono::seconds(5);
    Duration close_delay = std::chrono::seconds(5);
    std::uint64_t community_id_seed = 0;
    bool services = true;
};

// The thread hands its flows over when there are so many.
inline constexpr std::size_t chunk_flows = 256;

extern const std::span<const metrics::MetricInfo> flow_metrics;
EngineOptions engine_options(const FlowConfig& config);

class FlowCollector final : public module::Collector, private FlowSink {
  public:
    static Result<std::unique_ptr<module::Collector>> make(const module::CollectorContext& context);
    io::Task<Result<>> run(module::Emitter& emitter) override;

  private:
    explicit FlowCollector(const module::CollectorContext& context);
    io::Task<Result<>> on_thread(Result<> (FlowCollector::*work)());
    io::Task<Result<>> send(module::Emitter& emitter);
    bool from_files() const { return !config_->read.empty(); }
    void count();
    void report() const;

    // On the capture thread:
    void record(const Flow& flow, EndReason reason) override;
    Result<> open();
    Result<> capture();
    Result<> finish();

    const module::CollectorContext context_;
    std::shared_ptr<const FlowConfig> config_;
    EventOptions event_options_;
    Detector detector_;
    Engine engine_;
    std::unique_ptr<PacketSource> source_;
    std::vector<messaging::FlowEvent> chunk_;
    bool input_ended_ = false, all_ended_ = false;
    std::optional<Error> input_error_;
    EngineStats counted_;
    std::vector<std::pair<std::string, CaptureCounts>> captured_, captured_before_;
    std::uint64_t filtered_ = 0;
    std::chrono::steady_clock::time_point began_{};
    io::DedicatedThread thread_;  // last: ends before what it uses
};

}  // namespace amoskys::flow
