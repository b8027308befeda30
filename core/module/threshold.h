// Limits on the metrics of any collector: records go in on their way to the batch, and alarms are
// added to them. One engine per collector; on the collector's loop; no I/O, no clock of its own.
//
//   NAME: SUBJECT [where LABEL=GLOB] OP WARNING[/CRITICAL] [clear VALUE] [for SAMPLES]
//   SUBJECT = METRIC | rate(COUNTER) | percent(METRIC of WHOLE) | used(FREE of WHOLE)
//   OP      = > >= < <=
//
// as in  disk_full: percent(hrStorageUsed of hrStorageSize) where hrStorageDescr=/* >= 85/95
// Both metrics of a pair have the same index in the same record. rate is per second, from two
// readings of the same device and index, none across a decrease. An alarm begins after SAMPLES
// readings past the limit (default 1), and ends at VALUE (default: back within WARNING).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/metrics/metrics.h"
#include "core/module/alarm_memory.h"
#include "core/module/module.h"

namespace amoskys::module {

struct ThresholdRule {
    enum class Subject : std::uint8_t { value, rate, percent, used };
    std::string name;
    Subject subject = Subject::value;
    std::string metric, whole;
    std::string label, glob;  // empty = every row
    bool above = true;        // > and >=
    bool or_equal = false;
    double warning = 0;
    std::optional<double> critical;
    double clear = 0;
    std::uint32_t samples = 1;
};

// The error names what is wrong and what is allowed.
Result<ThresholdRule> parse_threshold(std::string_view text);

class Thresholds {
  public:
    static constexpr std::size_t max_tracked = 100'000;  // readings and alarms; see untracked()

    explicit Thresholds(std::vector<ThresholdRule> rules);
    // Appends an ALARM event for every change of level.
    void apply(messaging::DeviceTelemetry& record);
    bool empty() const { return rules_.empty(); }
    // Alarms that go on, for after a restart. One whose rule is gone is not taken up: false.
    std::vector<ActiveAlarm> alarms() const;
    bool take_up(const ActiveAlarm& alarm);
    std::size_t active() const { return active_; }
    std::uint64_t raised() const { return raised_; }
    std::uint64_t untracked() const { return untracked_; }  // not evaluated: max_tracked

  private:
    enum class Level : std::uint8_t { none, warning, critical };
    struct State {
        Level level = Level::none;
        std::uint32_t in_a_row = 0;
        UnixNanos since_ns = 0;
        bool has_reading = false;
        double reading = 0;
        UnixNanos reading_ns = 0;
    };
    struct Reading {
        const messaging::MetricData* data;
        UnixNanos time_ns;
    };
    using Readings = std::map<std::pair<std::string_view, std::string_view>, Reading>;

    static std::string key_of(std::string_view device, std::size_t rule, std::string_view index);
    std::optional<double> value_of(const ThresholdRule& rule, const Reading& reading,
                                   const Readings& all, State& state) const;
    Level level_of(const ThresholdRule& rule, const State& state, double value) const;
    void evaluate(std::size_t index, const Reading& reading, const Readings& all,
                  messaging::DeviceTelemetry& record,
                  std::vector<messaging::TelemetryEvent>& alarms);
    messaging::TelemetryEvent alarm(const ThresholdRule& rule, const State& before, Level now,
                                    double value, const Reading& reading,
                                    const std::string& device) const;

    std::vector<ThresholdRule> rules_;
    std::unordered_map<std::string_view, std::vector<std::size_t>> by_metric_;  // rules by metric
    std::map<std::string, bool, std::less<>> wanted_;  // metrics that any rule reads
    std::unordered_map<std::string, State> states_;
    std::size_t active_ = 0;
    std::uint64_t raised_ = 0, untracked_ = 0;
};

// Stands before the batch. With `memory` it goes on with the alarms of the run before; a damaged
// memory is told in the log and begun anew.
class ThresholdEmitter final : public Emitter {
  public:
    ThresholdEmitter(Emitter& next, Thresholds thresholds, metrics::Registry& metrics,
                     std::optional<AlarmMemory> memory = std::nullopt);
    ~ThresholdEmitter() override;
    io::Task<Result<>> emit(messaging::DeviceTelemetry record) override;
    io::Task<Result<>> emit(std::string device_id,
                            std::vector<messaging::ProcessEvent> processes) override;
    io::Task<Result<>> emit(std::string device_id,
                            std::vector<messaging::FlowEvent> flows) override;
    io::Task<Result<>> flush() override;

  private:
    void remember();

    Emitter& next_;
    Thresholds thresholds_;
    metrics::Registry& metrics_;
    std::optional<AlarmMemory> memory_;
    std::uint64_t remembered_ = 0;  // raised() of what is in the memory
    std::chrono::steady_clock::time_point remembered_at_;
};

std::span<const metrics::MetricInfo> threshold_metrics();

// Of agent.thresholds; the error begins with its key.
Result<Thresholds> make_thresholds(const std::vector<std::string>& rules);

}  // namespace amoskys::module
