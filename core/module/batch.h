// From records to envelopes: collects a collector's records into TelemetryBatch payloads of bounded
// size and age and hands them to the spool; or, for --stdout, prints their events. Both are
// Emitters.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/metrics/metrics.h"
#include "core/module/module.h"
#include "core/module/spool.h"

namespace amoskys::module {

std::span<const metrics::MetricInfo> pipeline_metrics();

struct BatchLimits {
    std::uint64_t max_bytes = 114'688;
    Duration max_age = std::chrono::seconds(1);
};

// Alarms (event_type ALARM) and events of severity CRITICAL.
bool is_urgent(const messaging::TelemetryEvent& event);

class BatchEmitter final : public Emitter {
  public:
    // Gives the spool of the urgent lane, opened when it is first needed.
    using UrgentSpool = std::function<Result<Spool*>()>;
    BatchEmitter(Spool& spool, BatchLimits limits, const Clock& clock, metrics::Registry& metrics,
                 std::string lane, UrgentSpool urgent);
    // Urgent events of a record leave it for the urgent lane, signed at once.
    io::Task<Result<>> emit(messaging::DeviceTelemetry record) override;
    io::Task<Result<>> emit(std::string device_id,
                            std::vector<messaging::ProcessEvent> processes) override;
    io::Task<Result<>> emit(std::string device_id,
                            std::vector<messaging::FlowEvent> flows) override;
    io::Task<Result<>> flush() override;
    // Signs what is there without waiting for anything: the last thing before an end.
    Result<> seal_now();
    // Signs a batch that is older than max_age; the host calls it now and then.
    io::Task<Result<>> flush_if_old();

  private:
    enum class Content { none, records, processes, flows };
    io::Task<Result<>> add(Content content, std::string device, std::string entry,
                           std::uint64_t events, std::pair<UnixNanos, UnixNanos> times);
    io::Task<Result<>> emit_urgent(messaging::DeviceTelemetry record);
    Result<> store(Spool& spool, Spool::Payload payload, const std::string& device);
    io::Task<Result<>> seal();
    void collected(std::uint64_t bytes);
    void update_ratio();

    Spool& spool_;
    BatchLimits limits_;
    const Clock& clock_;
    std::string lane_;
    UrgentSpool urgent_;
    Content content_ = Content::none;
    std::string device_;
    std::string payload_;
    std::uint64_t events_ = 0;
    UnixNanos first_ns_ = 0, last_ns_ = 0;
    std::chrono::steady_clock::time_point begun_{};
    metrics::Counter& collected_bytes_;
    metrics::Counter& stored_bytes_;
    metrics::Counter& events_total_;
    metrics::Counter& envelopes_total_;
    metrics::Counter& urgent_total_;
    metrics::Gauge& stored_ratio_;
    metrics::Gauge& loss_alert_;
};

class StdoutEmitter final : public Emitter {
  public:
    static Result<std::unique_ptr<StdoutEmitter>> open(ByteSink& out, const OutputOptions& options);
    io::Task<Result<>> emit(messaging::DeviceTelemetry record) override;
    io::Task<Result<>> emit(std::string device_id,
                            std::vector<messaging::ProcessEvent> processes) override;
    io::Task<Result<>> emit(std::string device_id,
                            std::vector<messaging::FlowEvent> flows) override;
    io::Task<Result<>> flush() override;
    Result<> finish();
    bool printed() const { return printed_; }

  private:
    explicit StdoutEmitter(std::unique_ptr<RowOutput> rows);
    Result<> print(const messaging::UniversalEnvelope& envelope);

    std::unique_ptr<RowOutput> rows_;
    wire::EventDecoder decoder_;
    bool printed_ = false;
};

}  // namespace amoskys::module
