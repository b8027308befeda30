// Thresholds on their way to the batch, their metrics, and their alarms across restarts.
#include "core/log/log.h"
#include "core/module/threshold.h"

namespace amoskys::module {
namespace {

constexpr auto remember_interval = std::chrono::seconds(1);

constexpr metrics::MetricInfo threshold_table[] = {
    {"amoskys_agent_alarms_total", metrics::Kind::counter, "alarms",
     "Alarms raised or changed by thresholds, and their ends"},
    {"amoskys_agent_alarms_active", metrics::Kind::gauge, "alarms", "Alarms that go on"},
    {"amoskys_agent_thresholds_untracked_total", metrics::Kind::counter, "readings",
     "Readings not compared with a threshold because too many are followed already"},
};
constexpr const metrics::MetricInfo& alarms_metric = threshold_table[0];
constexpr const metrics::MetricInfo& active_metric = threshold_table[1];
constexpr const metrics::MetricInfo& untracked_metric = threshold_table[2];

}  // namespace

std::span<const metrics::MetricInfo> threshold_metrics() {
    return threshold_table;
}

ThresholdEmitter::ThresholdEmitter(Emitter& next, Thresholds thresholds, metrics::Registry& metrics,
                                   std::optional<AlarmMemory> memory)
    : next_(next),
      thresholds_(std::move(thresholds)),
      metrics_(metrics),
      memory_(std::move(memory)) {
    if (!memory_)
        return;
    const auto known = memory_->load();
    if (!known) {
        log::error("threshold", "alarms_unreadable", known.error().message);
        return;
    }
    for (const ActiveAlarm& alarm : *known)
        if (!thresholds_.take_up(alarm))
            log::warning("threshold", "alarm_without_rule",
                         "an alarm goes on whose threshold is gone; its end will not be told",
                         {{"rule", alarm.rule}, {"device", alarm.device}});
}

ThresholdEmitter::~ThresholdEmitter() {
    remember();
}

// A crash loses at most the changes of the last second: such an alarm is raised again, or its end
// told again.
void ThresholdEmitter::remember() {
    if (!memory_ || thresholds_.raised() == remembered_)
        return;
    remembered_at_ = std::chrono::steady_clock::now();
    if (const Result<> saved = memory_->save(thresholds_.alarms()); saved)
        remembered_ = thresholds_.raised();
    else if (log::allow("alarms not remembered"))
        log::warning("threshold", "alarms_not_remembered", saved.error().message);
}

io::Task<Result<>> ThresholdEmitter::emit(messaging::DeviceTelemetry record) {
    const std::uint64_t raised = thresholds_.raised(), untracked = thresholds_.untracked();
    thresholds_.apply(record);
    metrics_.counter(alarms_metric).add(thresholds_.raised() - raised);
    metrics_.counter(untracked_metric).add(thresholds_.untracked() - untracked);
    metrics_.gauge(active_metric).set(static_cast<double>(thresholds_.active()));
    auto emitted = co_await next_.emit(std::move(record));
    if (std::chrono::steady_clock::now() - remembered_at_ >= remember_interval)
        remember();
    co_return emitted;
}

io::Task<Result<>> ThresholdEmitter::emit(std::string device_id,
                                          std::vector<messaging::ProcessEvent> processes) {
    auto emitted = co_await next_.emit(std::move(device_id), std::move(processes));
    co_return emitted;
}

io::Task<Result<>> ThresholdEmitter::emit(std::string device_id,
                                          std::vector<messaging::FlowEvent> flows) {
    auto emitted = co_await next_.emit(std::move(device_id), std::move(flows));
    co_return emitted;
}

io::Task<Result<>> ThresholdEmitter::flush() {
    auto flushed = co_await next_.flush();
    remember();
    co_return flushed;
}

}  // namespace amoskys::module
