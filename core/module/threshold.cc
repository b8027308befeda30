#include "core/module/threshold.h"

#include "core/base/number_text.h"
#include "core/base/text.h"
#include "core/module/counter_rate.h"

namespace amoskys::module {
namespace {

std::string spoken(double value) {
    std::string out;
    append_number(out, value, 6);
    return out;
}

std::string_view operator_of(const ThresholdRule& rule) {
    return rule.above ? (rule.or_equal ? ">=" : ">") : (rule.or_equal ? "<=" : "<");
}

bool beyond(const ThresholdRule& rule, double value, double limit) {
    return (rule.above ? value > limit : value < limit) || (rule.or_equal && value == limit);
}

std::string subject_of(const ThresholdRule& rule) {
    switch (rule.subject) {
        case ThresholdRule::Subject::value:
            return rule.metric;
        case ThresholdRule::Subject::rate:
            return "rate(" + rule.metric + ")";
        case ThresholdRule::Subject::percent:
            return "percent(" + rule.metric + " of " + rule.whole + ")";
        case ThresholdRule::Subject::used:
            break;
    }
    return "used(" + rule.metric + " of " + rule.whole + ")";
}

bool is_number(const messaging::MetricData& data) {
    return data.value_kind() == messaging::MetricData::NUMERIC ||
           (data.value_kind() == messaging::MetricData::UNSPECIFIED && data.string_value().empty());
}

double number_of(const messaging::MetricData& data) {
    return data.counter_value() != 0 ? static_cast<double>(data.counter_value())
                                     : data.numeric_value();
}

}  // namespace

Thresholds::Thresholds(std::vector<ThresholdRule> rules) : rules_(std::move(rules)) {
    for (const ThresholdRule& rule : rules_) {
        wanted_[rule.metric] = true;
        if (!rule.whole.empty())
            wanted_[rule.whole] = true;
    }
    for (std::size_t i = 0; i < rules_.size(); ++i)
        by_metric_[wanted_.find(rules_[i].metric)->first].push_back(i);
}

std::string Thresholds::key_of(std::string_view device, std::size_t rule, std::string_view index) {
    std::string key(device);
    key += '\0';
    key += std::to_string(rule);
    key += '\0';
    key += index;
    return key;
}

std::vector<ActiveAlarm> Thresholds::alarms() const {
    std::vector<ActiveAlarm> out;
    for (const auto& [key, state] : states_) {
        if (state.level == Level::none)
            continue;
        const auto device = key.find('\0'), rule = key.find('\0', device + 1);
        const auto number = std::stoul(key.substr(device + 1, rule - device - 1));
        out.push_back({rules_[number].name, key.substr(0, device), key.substr(rule + 1),
                       state.level == Level::critical, state.since_ns});
    }
    return out;
}

bool Thresholds::take_up(const ActiveAlarm& alarm) {
    for (std::size_t i = 0; i < rules_.size(); ++i) {
        if (rules_[i].name != alarm.rule || states_.size() >= max_tracked)
            continue;
        State& state = states_[key_of(alarm.device, i, alarm.index)];
        if (state.level == Level::none)
            ++active_;
        state.level = alarm.critical ? Level::critical : Level::warning;
        state.since_ns = alarm.since_ns;
        return true;
    }
    return false;
}

std::optional<double> Thresholds::value_of(const ThresholdRule& rule, const Reading& reading,
                                           const Readings& all, State& state) const {
    const double value = number_of(*reading.data);
    if (rule.subject == ThresholdRule::Subject::value)
        return value;
    if (rule.subject == ThresholdRule::Subject::rate) {
        const bool has_before = std::exchange(state.has_reading, true);
        const double before = std::exchange(state.reading, value);
        const UnixNanos before_ns = std::exchange(state.reading_ns, reading.time_ns);
        if (!has_before || value < before || reading.time_ns <= before_ns)
            return std::nullopt;
        return (value - before) / (static_cast<double>(reading.time_ns - before_ns) / 1e9);
    }
    const auto whole = all.find({rule.whole, reading.data->index()});
    if (whole == all.end() || !(number_of(*whole->second.data) > 0))
        return std::nullopt;
    const double percent = 100 * value / number_of(*whole->second.data);
    return rule.subject == ThresholdRule::Subject::used ? 100 - percent : percent;
}

// With hysteresis: once raised, a warning stays until `clear`, and critical until within CRITICAL.
Thresholds::Level Thresholds::level_of(const ThresholdRule& rule, const State& state,
                                       double value) const {
    if (rule.critical && beyond(rule, value, *rule.critical))
        return Level::critical;
    if (beyond(rule, value, rule.warning))
        return Level::warning;
    const bool held = state.level != Level::none && rule.clear != rule.warning &&
                      (rule.above ? value > rule.clear : value < rule.clear);
    return held ? Level::warning : Level::none;
}

messaging::TelemetryEvent Thresholds::alarm(const ThresholdRule& rule, const State& before,
                                            Level now, double value, const Reading& reading,
                                            const std::string& device) const {
    const messaging::MetricData& data = *reading.data;
    messaging::TelemetryEvent event;
    event.set_event_type("ALARM");
    event.set_severity(now == Level::critical  ? "CRITICAL"
                       : now == Level::warning ? "WARN"
                                               : "INFO");
    event.set_event_timestamp_ns(reading.time_ns);
    event.set_source_component("threshold");
    messaging::AlarmData& alarm = *event.mutable_alarm_data();
    alarm.set_alarm_id(device + '/' + rule.name + (data.index().empty() ? "" : '/' + data.index()));
    alarm.set_alarm_name(rule.name);
    alarm.set_alarm_type("THRESHOLD");
    alarm.set_state(now == Level::none ? "CLEARED" : "ACTIVE");
    alarm.set_current_value(value);
    const double limit = now == Level::critical ? *rule.critical
                         : now == Level::none   ? rule.clear
                                                : rule.warning;
    alarm.set_threshold_value(limit);
    alarm.set_threshold_operator(std::string(operator_of(rule)));
    alarm.set_alarm_time_ns(before.level == Level::none ? reading.time_ns : before.since_ns);
    if (now == Level::none)
        alarm.set_clear_time_ns(reading.time_ns);
    alarm.set_priority(now == Level::critical ? "URGENT" : now == Level::warning ? "HIGH" : "LOW");
    auto& attributes = *event.mutable_attributes();
    attributes["metric"] = rule.metric;
    std::string where;
    if (!data.index().empty())
        attributes["index"] = data.index();
    for (const auto& [label, text] : data.labels())
        if (label != "source" && label != "raw") {
            attributes[label] = text;
            where += ", " + label + " " + text;
        }
    alarm.set_description(
        subject_of(rule) + " is " + spoken(value) +
        (now == Level::none ? ", within " + spoken(rule.clear) + " again"
                            : " (" + std::string(operator_of(rule)) + " " + spoken(limit) + ")") +
        where);
    return event;
}

void Thresholds::evaluate(std::size_t index, const Reading& reading, const Readings& all,
                          messaging::DeviceTelemetry& record,
                          std::vector<messaging::TelemetryEvent>& alarms) {
    const ThresholdRule& rule = rules_[index];
    if (!rule.label.empty()) {
        const auto label = reading.data->labels().find(rule.label);
        if (label == reading.data->labels().end() || !glob_match(rule.glob, label->second))
            return;
    }
    std::string key = key_of(record.device_id(), index, reading.data->index());
    auto known = states_.find(key);
    if (known == states_.end() && states_.size() >= max_tracked) {
        ++untracked_;
        return;
    }
    State fresh;
    State& state = known == states_.end() ? fresh : known->second;
    const auto value = value_of(rule, reading, all, state);
    if (value) {
        const Level now = level_of(rule, state, *value);
        if (now == state.level) {
            state.in_a_row = 0;
        } else if (now == Level::none || ++state.in_a_row >= rule.samples) {
            const State before = state;
            if (before.level == Level::none) {
                state.since_ns = reading.time_ns;
                ++active_;
            }
            if (now == Level::none)
                --active_;
            state.level = now;
            state.in_a_row = 0;
            ++raised_;
            alarms.push_back(alarm(rule, before, now, *value, reading, record.device_id()));
        }
    }
    const bool needed = state.level != Level::none || state.in_a_row != 0 || state.has_reading;
    if (known != states_.end()) {
        if (!needed)
            states_.erase(known);
    } else if (needed) {
        states_.emplace(std::move(key), state);
    }
}

void Thresholds::apply(messaging::DeviceTelemetry& record) {
    if (rules_.empty())
        return;
    Readings all;
    for (const messaging::TelemetryEvent& event : record.events()) {
        if (!event.has_metric_data())
            continue;
        const messaging::MetricData& data = event.metric_data();
        const auto wanted = wanted_.find(data.metric_name());
        if (wanted == wanted_.end() || !is_number(data))
            continue;
        all[{wanted->first, data.index()}] = {&data, event.event_timestamp_ns() != 0
                                                         ? event.event_timestamp_ns()
                                                         : record.timestamp_ns()};
    }
    std::vector<messaging::TelemetryEvent> alarms;
    for (const auto& [key, reading] : all)
        if (const auto rules = by_metric_.find(key.first); rules != by_metric_.end())
            for (const std::size_t rule : rules->second)
                evaluate(rule, reading, all, record, alarms);
    for (messaging::TelemetryEvent& event : alarms)
        *record.add_events() = std::move(event);
    if (!alarms.empty() && record.batch_size() != 0)
        record.set_batch_size(static_cast<std::uint32_t>(record.events_size()));
}

}  // namespace amoskys::module
