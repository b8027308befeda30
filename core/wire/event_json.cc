#include <array>
#include <cmath>
#include <cstdlib>
#include <map>

#include "core/base/number_text.h"
#include "core/wire/event.h"
#include "core/wire/legacy.h"

namespace amoskys::wire {
namespace {

namespace pb = google::protobuf;

constexpr std::uint64_t exact_max = 1ULL << 53U;  // integers up to here are exact in a double

Json number(std::uint64_t value) {
    return value <= exact_max ? Json(value) : json::digits(value);
}

// A whole number without ".0": counters come as doubles.
Json number(double value) {
    if (std::nearbyint(value) == value && std::fabs(value) <= static_cast<double>(exact_max))
        return static_cast<std::int64_t>(value);
    return value;
}

// The double with the fewest digits that is this float: 0.1, not 0.10000000149011612.
Json number(float value) {
    if (!std::isfinite(value))
        return static_cast<double>(value);
    std::array<char, number_room> text{};
    double shown = value;
    for (int digits = 6; digits <= 9; ++digits) {
        *write_number(text.data(), value, digits) = '\0';
        shown = std::strtod(text.data(), nullptr);
        if (static_cast<float>(shown) == value)
            break;
    }
    return number(shown);
}

Json labels_json(const pb::Map<std::string, std::string>& labels) {
    // protobuf's map has no order: sorted, so that a row is always the same text.
    const std::map<std::string, std::string> sorted(labels.begin(), labels.end());
    Json out = Json::object();
    for (const auto& [key, value] : sorted)
        out[key] = value;
    return out;
}

Json message_json(const pb::Message& message);

// The value of a field; `index` is ignored where it is not repeated.
Json field_json(const pb::Message& message, const pb::FieldDescriptor& field, int index) {
    const pb::Reflection& reflection = *message.GetReflection();
    const bool many = field.is_repeated();
    std::string scratch;
    switch (field.cpp_type()) {
        case pb::FieldDescriptor::CPPTYPE_INT32:
            return many ? reflection.GetRepeatedInt32(message, &field, index)
                        : reflection.GetInt32(message, &field);
        case pb::FieldDescriptor::CPPTYPE_UINT32:
            return many ? reflection.GetRepeatedUInt32(message, &field, index)
                        : reflection.GetUInt32(message, &field);
        case pb::FieldDescriptor::CPPTYPE_UINT64: {
            const std::uint64_t value = many ? reflection.GetRepeatedUInt64(message, &field, index)
                                             : reflection.GetUInt64(message, &field);
            return field.name().ends_with("_ns") ? json::digits(value) : number(value);
        }
        case pb::FieldDescriptor::CPPTYPE_DOUBLE:
            return number(many ? reflection.GetRepeatedDouble(message, &field, index)
                               : reflection.GetDouble(message, &field));
        case pb::FieldDescriptor::CPPTYPE_FLOAT:
            return number(many ? reflection.GetRepeatedFloat(message, &field, index)
                               : reflection.GetFloat(message, &field));
        case pb::FieldDescriptor::CPPTYPE_BOOL:
            return many ? reflection.GetRepeatedBool(message, &field, index)
                        : reflection.GetBool(message, &field);
        case pb::FieldDescriptor::CPPTYPE_STRING: {
            const std::string& text =
                many ? reflection.GetRepeatedStringReference(message, &field, index, &scratch)
                     : reflection.GetStringReference(message, &field, &scratch);
            return field.type() == pb::FieldDescriptor::TYPE_BYTES ? to_hex(as_bytes(text)) : text;
        }
        case pb::FieldDescriptor::CPPTYPE_MESSAGE:
            return message_json(many ? reflection.GetRepeatedMessage(message, &field, index)
                                     : reflection.GetMessage(message, &field));
        default:
            return {};  // no field of another type is in the schema's events
    }
}

Json map_json(const pb::Message& message, const pb::FieldDescriptor& field) {
    const pb::Reflection& reflection = *message.GetReflection();
    std::map<std::string, Json> sorted;
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
        const pb::Message& entry = reflection.GetRepeatedMessage(message, &field, i);
        sorted[field_json(entry, *entry.GetDescriptor()->field(0), 0).get<std::string>()] =
            field_json(entry, *entry.GetDescriptor()->field(1), 0);
    }
    Json out = Json::object();
    for (const auto& [key, value] : sorted)
        out[key] = value;
    return out;
}

// Adds the fields that are set, under the names of the schema.
void add_fields(Json& out, const pb::Message& message) {
    std::vector<const pb::FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    for (const pb::FieldDescriptor* field : fields) {
        if (field->is_map()) {
            out[field->name()] = map_json(message, *field);
        } else if (field->is_repeated()) {
            Json list = Json::array();
            for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i)
                list.push_back(field_json(message, *field, i));
            out[field->name()] = std::move(list);
        } else {
            out[field->name()] = field_json(message, *field, 0);
        }
    }
}

Json message_json(const pb::Message& message) {
    Json out = Json::object();
    add_fields(out, message);
    return out;
}

Json value_json(const Event& event, bool binary) {
    if (const auto* value = std::get_if<double>(&event.value))
        return number(*value);
    if (const auto* value = std::get_if<std::uint64_t>(&event.value))
        return number(*value);
    if (const auto* value = std::get_if<bool>(&event.value))
        return *value;
    const auto* text = std::get_if<std::string_view>(&event.value);
    if (text == nullptr)
        return {};
    return binary ? to_hex(as_bytes(*text)) : std::string(*text);
}

void add_metric(Json& out, const Event& event) {
    messaging::TelemetryEvent message;
    message.ParseFromArray(event.event_bytes.data(), static_cast<int>(event.event_bytes.size()));
    const auto& metric = message.metric_data();
    out["metric"] = event.metric;
    out["type"] = event.type;
    out["value"] = value_json(event, metric.value_kind() == messaging::MetricData::BINARY);
    out["unit"] = event.unit;
    out["index"] = event.index;
    out["labels"] = labels_json(metric.labels());
    if (const auto at = message.attributes().find("raw"); at != message.attributes().end())
        out["raw"] = at->second;
}

// 0 is a value of these: they stand there whatever they are, unless `missing` names them.
void add_process(Json& out, const messaging::ProcessEvent& process) {
    const auto read = [&](std::string_view name) {
        for (const std::string& missing : process.missing())
            if (missing.starts_with(name) &&
                (missing.size() == name.size() || missing[name.size()] == ':'))
                return false;
        return true;
    };
    out["pid"] = number(process.pid());
    out["ppid"] = read("ppid") ? number(process.ppid()) : Json();
    out["name"] = process.name();
    out["exe"] = process.exe();
    out["uid"] = read("uid") ? Json(process.uid()) : Json();
    out["gid"] = read("gid") ? Json(process.gid()) : Json();
    Json fields = message_json(process);
    for (auto& [key, value] : fields.items())
        if (key == "kind")
            out["change"] = value;
        else if (key != "event_time_ns" && !out.contains(key))
            out[key] = value;
}

void add_flow(Json& out, const messaging::FlowEvent& flow) {
    const FlowFacts facts = flow_facts(flow);
    out["src_ip"] = flow.src_ip();
    out["dst_ip"] = flow.dst_ip();
    out["src_port"] = flow.src_port();
    out["dst_port"] = flow.dst_port();
    out["protocol"] = facts.protocol;
    out["bytes_sent"] = number(facts.bytes_sent);
    out["bytes_recv"] = number(facts.bytes_recv);
    out["flags"] = flow.flags();
    out["start_time"] = json::time(flow.start_time());
    out["end_time"] = json::time(facts.end_ns);
    Json fields = message_json(flow);
    for (const char* earlier : {"bytes_tx", "bytes_rx", "proto", "duration_ms"})
        fields.erase(earlier);
    for (auto& [key, value] : fields.items())
        if (!out.contains(key))
            out[key] = value;
}

void add_gap(Json& out, const messaging::GapMarker& gap) {
    out["first_sequence"] = number(gap.first_sequence());
    out["last_sequence"] = number(gap.last_sequence());
    out["envelopes"] = number(gap.envelopes());
    out["events"] = number(gap.events());
    out["reason"] = gap.reason();
    out["from"] = json::time(gap.from_ns());
    out["to"] = json::time(gap.to_ns());
}

void add_other(Json& out, const Event& event) {
    const messaging::TelemetryEvent& from = *event.event;
    const std::string name(event_kind_name(event.kind));
    switch (event.kind) {
        case EventKind::log:
            out[name] = message_json(from.log_data());
            break;
        case EventKind::alarm:
            out[name] = message_json(from.alarm_data());
            break;
        case EventKind::status:
            out[name] = message_json(from.status_data());
            break;
        case EventKind::security:
            out[name] = message_json(from.security_event());
            break;
        case EventKind::audit:
            out[name] = message_json(from.audit_event());
            break;
        default:
            break;
    }
    if (!from.attributes().empty())
        out["attributes"] = labels_json(from.attributes());
}

constexpr std::array<Column, 53> columns{{
    {"time"},
    {"device"},
    {"source"},
    {"kind"},
    {"severity"},
    {"what", "", true, false, &event_text},
    {"metric", "", false},
    {"value", "", false, true},
    {"unit", "", false},
    {"index", "", false},
    {"type", "", false},
    {"labels", "", false},
    {"raw", "", false},
    {"offset", "", false, true},
    {"pid", "", false, true},
    {"ppid", "", false, true},
    {"name", "", false},
    {"exe", "", false},
    {"cmdline", "", false},
    {"user", "", false},
    {"change", "", false},
    {"src_ip", "", false},
    {"src_port", "", false, true},
    {"dst_ip", "", false},
    {"dst_port", "", false, true},
    {"protocol", "", false},
    {"bytes_sent", "", false, true},
    {"bytes_recv", "", false, true},
    {"first_sequence", "", false, true},
    {"last_sequence", "", false, true},
    {"envelopes", "", false, true},
    {"reason", "", false},
    {"packets_sent", "", false, true},
    {"packets_recv", "", false, true},
    {"ip_bytes_sent", "", false, true},
    {"ip_bytes_recv", "", false, true},
    {"conn_state", "", false},
    {"history", "", false},
    {"service", "", false},
    {"community_id", "", false},
    {"sni", "", false},
    {"host", "", false},
    {"end_reason", "", false},
    {"alarm.alarm_name", "", false},
    {"alarm.state", "", false},
    {"alarm.description", "", false},
    {"security.event_action", "", false},
    {"security.target_resource", "", false},
    {"security.analyst_notes", "", false},
    {"audit.audit_category", "", false},
    {"audit.action_performed", "", false},
    {"audit.object_id", "", false},
    {"audit.actor_id", "", false},
}};

}  // namespace

const Noun event_noun{"event", columns};

Json event_json(const Event& event) {
    Json out = Json::object();
    out["device"] = event.device;
    out["time"] = json::time(event.time_ns);
    out["source"] = event.source;
    out["kind"] = event_kind_name(event.kind);
    out["severity"] = event.severity;
    if (event.kind == EventKind::metric)
        add_metric(out, event);
    else if (event.process != nullptr)
        add_process(out, *event.process);
    else if (event.flow != nullptr)
        add_flow(out, *event.flow);
    else if (event.gap != nullptr)
        add_gap(out, *event.gap);
    else if (event.event != nullptr)
        add_other(out, event);
    if (event.offset != 0)
        out["offset"] = number(event.offset);
    return out;
}

}  // namespace amoskys::wire
