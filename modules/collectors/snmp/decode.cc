#include "modules/collectors/snmp/decode.h"

#include <algorithm>
#include <optional>
#include <set>

#include "core/base/text.h"
#include "modules/collectors/snmp/text_form.h"

namespace amoskys::snmp {
namespace {

constexpr double exact_integers = 9007199254740992.0;  // 2^53
constexpr std::int64_t two_to_32 = std::int64_t{1} << 32;

std::string dotted(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) {
        if (!out.empty())
            out += '.';
        out += std::to_string(static_cast<unsigned char>(c));
    }
    return out;
}

// Text of a value for labels and text metrics; nothing where it is not a text.
std::optional<std::string> text_of(const Metric& metric, const Value& value) {
    if (const auto* oid = std::get_if<Oid>(&value.data))
        return format_oid(*oid);
    const auto* raw = std::get_if<std::string>(&value.data);
    if (!raw)
        return std::nullopt;
    if (value.type == Type::ip_address)
        return dotted(*raw);
    if (metric.read == Read::hint)
        return by_hint(metric.hint, *raw);
    if (metric.read == Read::date_time)
        if (auto time = date_and_time(*raw))
            return time;
    return *raw;
}

// What an event has when serialised, at most: cheaper than asking protobuf for each.
std::size_t size_bound(const messaging::TelemetryEvent& event) {
    if (!event.has_metric_data())
        return event.ByteSizeLong() + 6;
    const messaging::MetricData& data = event.metric_data();
    std::size_t size = 96 + data.metric_name().size() + data.unit().size() + data.index().size() +
                       data.string_value().size() + data.binary_value().size();
    for (const auto& [name, text] : data.labels())
        size += name.size() + text.size() + 12;
    return size;
}

class Builder {
  public:
    Builder(const Profile& profile, const PollResult& result, const DeviceContext& device)
        : profile_(profile),
          result_(result),
          device_(device),
          derivation_(profile, result, device.before, device.at_s) {}

    Decoded build();

  private:
    using Labels = std::vector<std::pair<const Metric*, std::string>>;

    std::pair<const Metric*, const Value*> scalar(std::string_view name) const;
    std::string scalar_text(std::string_view name) const;
    void new_record();
    void fit_last();
    void add_status();
    void add_metadata();
    void add_table(const Table& table, const std::vector<Rows>& columns,
                   const std::vector<Rows>* earlier);
    void add_scalars();
    void add_metric(const Metric& metric, const Value& value, const std::string& index,
                    const Labels& labels);
    void add_derived(const std::vector<Derived>& derived,
                     const std::vector<std::optional<double>>& values, const std::string& index,
                     const Labels& labels);
    bool set_value(const Metric& metric, const Value& value, messaging::MetricData& data);
    void set_text(std::string_view raw, messaging::MetricData& data);
    bool set_integer(const Metric& metric, std::int64_t value, messaging::MetricData& data);
    void find_missing();

    const Profile& profile_;
    const PollResult& result_;
    const DeviceContext& device_;
    Decoded out_;
    std::size_t record_bytes_ = 0;
    Derivation derivation_;
    std::set<const Metric*> seen_;
};

messaging::DeviceTelemetry empty_record(const DeviceContext& device) {
    messaging::DeviceTelemetry record;
    record.set_device_id(device.device_id);
    record.set_device_type("NETWORK");
    record.set_protocol("SNMP");
    record.set_collection_agent("amoskys-snmp");
    record.set_agent_version(AMOSKYS_VERSION);
    record.set_timestamp_ns(device.time_ns);
    record.set_collection_interval_ms(device.interval_ms);
    return record;
}

messaging::StatusData& begin_status(const DeviceContext& device, std::string_view now,
                                    messaging::TelemetryEvent& event) {
    event.set_event_type("STATUS");
    auto& status = *event.mutable_status_data();
    status.set_component_name("snmp");
    status.set_status(std::string(now));
    status.set_previous_status(device.previous_status);
    status.set_status_change_time_ns(
        device.previous_status == now && device.since_ns != 0 ? device.since_ns : device.time_ns);
    return status;
}

std::pair<const Metric*, const Value*> Builder::scalar(std::string_view name) const {
    for (std::size_t i = 0; i < profile_.scalars.size(); ++i)
        if (profile_.scalars[i].name == name && has_value(result_.scalars[i]))
            return {&profile_.scalars[i], &result_.scalars[i]};
    return {};
}

std::string Builder::scalar_text(std::string_view name) const {
    const auto [metric, value] = scalar(name);
    return value ? to_utf8(text_of(*metric, *value).value_or("").substr(0, 1024)) : "";
}

void Builder::new_record() {
    out_.records.push_back(empty_record(device_));
    record_bytes_ = out_.records.back().ByteSizeLong();
}

// The last event goes to a record of its own where this one has become too large by it.
void Builder::fit_last() {
    messaging::DeviceTelemetry& record = out_.records.back();
    const std::size_t size = size_bound(record.events(record.events_size() - 1));
    if (record_bytes_ + size <= max_record_bytes || record.events_size() == 1) {
        record_bytes_ += size;
        return;
    }
    messaging::TelemetryEvent last = std::move(*record.mutable_events(record.events_size() - 1));
    record.mutable_events()->RemoveLast();
    record.set_batch_size(static_cast<std::uint32_t>(record.events_size()));
    new_record();
    *out_.records.back().add_events() = std::move(last);
    record_bytes_ += size;
}

void Builder::add_metadata() {
    auto& metadata = *out_.records.front().mutable_metadata();
    metadata.set_ip_address(device_.address);
    metadata.add_protocols("SNMP");
    metadata.set_physical_location(scalar_text("sysLocation"));
    for (const std::string_view name : {"sysDescr", "sysObjectID", "sysName"})
        if (std::string text = scalar_text(name); !text.empty())
            (*metadata.mutable_custom_properties())[std::string(name)] = std::move(text);
    if (device_.identity) {
        metadata.set_manufacturer(device_.identity->manufacturer);
        metadata.set_model(device_.identity->model);
        metadata.set_firmware_version(device_.identity->firmware);
        metadata.set_serial_number(device_.identity->serial);
    }
    auto& security = *out_.records.front().mutable_security();
    security.set_authentication_method(std::string(device_.security));
    security.set_encrypted_channel(device_.encrypted);
    record_bytes_ = out_.records.front().ByteSizeLong();
}

void Builder::add_status() {
    messaging::TelemetryEvent& event = *out_.records.back().add_events();
    auto& status = begin_status(device_, status_of(result_), event);
    status.set_health_status(result_.cut_short ? "DEGRADED" : "HEALTHY");
    status.set_response_time_ms(device_.response_time_ms);
    if (const Value* uptime = scalar("hrSystemUptime").second)
        if (const auto* ticks = std::get_if<std::uint64_t>(&uptime->data))
            status.set_uptime_seconds(static_cast<float>(static_cast<double>(*ticks) / 100));
    if (const Identity* who = device_.identity)
        for (const auto& [name, text] : {std::pair{"manufacturer", &who->manufacturer},
                                         {"model", &who->model},
                                         {"firmware", &who->firmware},
                                         {"serial", &who->serial}})
            if (!text->empty())
                (*event.mutable_attributes())[name] = *text;
    if (result_.cut_short) {
        event.set_severity("WARN");
        (*event.mutable_attributes())["reason"] = "stopped answering during the poll";
    }
    fit_last();
}

void Builder::set_text(std::string_view raw, messaging::MetricData& data) {
    if (raw.size() > max_text_bytes) {
        (*data.mutable_labels())["truncated_bytes"] = std::to_string(raw.size());
        raw = raw.substr(0, max_text_bytes);
    }
    std::string text = to_utf8(raw);
    if (text.ends_with('\0'))
        text.pop_back();  // agents that count C's terminator
    if (text != raw)
        data.set_binary_value(std::string(raw));  // as it was sent
    data.set_string_value(std::move(text));
    data.set_value_kind(messaging::MetricData::TEXT);
}

bool Builder::set_integer(const Metric& metric, std::int64_t value, messaging::MetricData& data) {
    if (metric.read == Read::unsigned32 && value < 0 && value >= -two_to_32 / 2) {
        (*data.mutable_labels())["raw"] = std::to_string(value);
        value += two_to_32;
    }
    data.set_numeric_value(static_cast<double>(value) * metric.scale);
    for (const auto& [number, name] : metric.names)
        if (number == value)
            (*data.mutable_labels())["name"] = name;
    return true;
}

// False where the value is not what the profile says it is.
bool Builder::set_value(const Metric& metric, const Value& value, messaging::MetricData& data) {
    if (metric.kind == MetricKind::text) {
        const auto text = text_of(metric, value);
        if (text)
            set_text(*text, data);
        return text.has_value();
    }
    data.set_value_kind(messaging::MetricData::NUMERIC);
    if (const auto* integer = std::get_if<std::int64_t>(&value.data))
        return set_integer(metric, *integer, data);
    if (const auto* natural = std::get_if<std::uint64_t>(&value.data)) {
        if (*natural <= static_cast<std::uint64_t>(exact_integers))
            return set_integer(metric, static_cast<std::int64_t>(*natural), data);
        data.set_numeric_value(static_cast<double>(*natural) * metric.scale);
        if (metric.scale == 1)
            data.set_counter_value(*natural);
        return true;
    }
    const auto number = number_of(metric, value);
    if (number)
        data.set_numeric_value(*number);
    return number.has_value();
}

void Builder::add_metric(const Metric& metric, const Value& value, const std::string& index,
                         const Labels& labels) {
    if (!metric.stored || !has_value(value))
        return;
    if (derivation_.unsettled(metric, value)) {
        seen_.insert(&metric);  // not missing: left out
        return;
    }
    messaging::TelemetryEvent& event = *out_.records.back().add_events();
    event.set_event_type("METRIC");
    auto& data = *event.mutable_metric_data();
    if (!set_value(metric, value, data)) {
        out_.records.back().mutable_events()->RemoveLast();
        if (out_.unreadable.empty() || out_.unreadable.back() != metric.name)
            out_.unreadable.push_back(metric.name);
        return;
    }
    seen_.insert(&metric);
    data.set_metric_name(metric.name);
    data.set_metric_type(metric.kind == MetricKind::counter ? "COUNTER" : "GAUGE");
    data.set_unit(metric.unit);
    data.set_index(index);
    auto& all = *data.mutable_labels();
    all["source"] = "snmp";
    for (const auto& [column, text] : labels)
        if (column != &metric)
            all[column->name] = text;
    ++out_.metrics;
    fit_last();
}

void Builder::add_derived(const std::vector<Derived>& derived,
                          const std::vector<std::optional<double>>& values,
                          const std::string& index, const Labels& labels) {
    for (std::size_t i = 0; i < derived.size(); ++i) {
        if (!derived[i].stored || !values[i])
            continue;
        messaging::TelemetryEvent& event = *out_.records.back().add_events();
        event.set_event_type("METRIC");
        auto& data = *event.mutable_metric_data();
        data.set_metric_name(derived[i].name);
        data.set_metric_type("GAUGE");
        data.set_numeric_value(*values[i]);
        data.set_value_kind(messaging::MetricData::NUMERIC);
        data.set_unit(derived[i].unit);
        data.set_index(index);
        auto& all = *data.mutable_labels();
        all["source"] = "snmp";
        all["derived"] = "true";
        for (const auto& [column, text] : labels)
            all[column->name] = text;
        ++out_.metrics;
        fit_last();
    }
}

// Merges the columns, each ascending by index, into rows.
void Builder::add_table(const Table& table, const std::vector<Rows>& columns,
                        const std::vector<Rows>* earlier) {
    std::vector<std::size_t> at(columns.size(), 0);
    std::vector<const Value*> row(columns.size()), before(columns.size());
    Labels labels;
    for (;;) {
        const Oid* index = nullptr;
        for (std::size_t c = 0; c < columns.size(); ++c)
            if (at[c] < columns[c].size() && (!index || columns[c][at[c]].first < *index))
                index = &columns[c][at[c]].first;
        if (!index)
            return;
        const std::string index_text = format_oid(*index);
        for (std::size_t c = 0; c < columns.size(); ++c) {
            row[c] = before[c] = nullptr;
            if (at[c] < columns[c].size() && columns[c][at[c]].first == *index)
                row[c] = &columns[c][at[c]++].second;
            if (row[c] && !has_value(*row[c]))
                row[c] = nullptr;
        }
        labels.clear();
        for (const std::size_t c : table.labels)
            if (row[c])
                if (auto text = text_of(table.columns[c], *row[c]); text && !text->empty())
                    labels.emplace_back(&table.columns[c], to_utf8(text->substr(0, 256)));
        for (std::size_t c = 0; c < columns.size(); ++c)
            if (row[c])
                add_metric(table.columns[c], *row[c], index_text, labels);
        if (table.derived.empty())
            continue;
        for (std::size_t c = 0; c < columns.size(); ++c)
            if (row[c] && derivation_.unsettled(table.columns[c], *row[c]))
                row[c] = nullptr;
        for (std::size_t c = 0; earlier && c < columns.size(); ++c) {
            const Rows& rows = (*earlier)[c];
            const auto found = std::ranges::lower_bound(rows, *index, {}, &Rows::value_type::first);
            if (found != rows.end() && found->first == *index)
                before[c] = &found->second;
        }
        add_derived(table.derived, derivation_.values(table.derived, table.columns, row, before),
                    index_text, labels);
    }
}

void Builder::find_missing() {
    const auto look = [this](const Metric& metric) {
        if (metric.stored && !seen_.contains(&metric) &&
            std::ranges::find(out_.unreadable, metric.name) == out_.unreadable.end())
            out_.missing.push_back(metric.name);
    };
    std::ranges::for_each(profile_.scalars, look);
    for (const Table& table : profile_.tables)
        std::ranges::for_each(table.columns, look);
}

void Builder::add_scalars() {
    for (std::size_t i = 0; i < profile_.scalars.size(); ++i)
        add_metric(profile_.scalars[i], result_.scalars[i], "", {});
    if (profile_.derived.empty())
        return;
    std::vector<const Value*> row(profile_.scalars.size()), before(profile_.scalars.size());
    const bool fits = device_.before && device_.before->scalars.size() == row.size();
    for (std::size_t i = 0; i < row.size(); ++i) {
        const Metric& metric = profile_.scalars[i];
        const bool usable =
            has_value(result_.scalars[i]) && !derivation_.unsettled(metric, result_.scalars[i]);
        row[i] = usable ? &result_.scalars[i] : nullptr;
        before[i] = fits ? &device_.before->scalars[i] : nullptr;
    }
    add_derived(profile_.derived,
                derivation_.values(profile_.derived, profile_.scalars, row, before), "", {});
}

Decoded Builder::build() {
    new_record();
    add_metadata();
    add_status();
    add_scalars();
    const RateMemory* memory = device_.before;
    const bool fits = memory && memory->tables.size() == profile_.tables.size();
    for (std::size_t i = 0; i < profile_.tables.size(); ++i)
        add_table(profile_.tables[i], result_.tables[i], fits ? &memory->tables[i] : nullptr);
    out_.records.back().set_batch_size(
        static_cast<std::uint32_t>(out_.records.back().events_size()));
    find_missing();
    return std::move(out_);
}

}  // namespace

std::string_view status_of(const PollResult& result) {
    return result.cut_short ? "partial" : "online";
}

Decoded decode(const Profile& profile, const PollResult& result, const DeviceContext& device) {
    return Builder(profile, result, device).build();
}

messaging::DeviceTelemetry offline_record(const DeviceContext& device, std::string_view reason) {
    messaging::DeviceTelemetry record = empty_record(device);
    record.mutable_metadata()->set_ip_address(device.address);
    record.mutable_metadata()->add_protocols("SNMP");
    messaging::TelemetryEvent& event = *record.add_events();
    event.set_severity("ERROR");
    (*event.mutable_attributes())["reason"] = to_utf8(reason);
    begin_status(device, "offline", event).set_health_status("UNHEALTHY");
    record.set_batch_size(1);
    return record;
}

}  // namespace amoskys::snmp
