#include "core/wire/metric_fields.h"

#include <array>
#include <bit>
#include <cstring>

#include "core/base/text.h"
#include "core/wire/proto_cursor.h"
#include "proto/universal_telemetry.pb.h"

namespace amoskys::wire {
namespace {

using Record = messaging::DeviceTelemetry;
using Telemetry = messaging::TelemetryEvent;
using Metric = messaging::MetricData;

constexpr std::uint64_t high_bits = 0x8080808080808080U;

template <class Word>
Word load(const std::uint8_t* at) {
    Word word;
    std::memcpy(&word, at, sizeof word);
    return word;
}

// Names and words are short and ASCII nearly always: a few loads, the last one overlapping.
bool is_ascii(ByteView text) {
    const std::uint8_t* at = text.data();
    const std::size_t size = text.size();
    if (size >= 8) {
        std::uint64_t seen = load<std::uint64_t>(at + size - 8);
        for (std::size_t i = 0; i + 8 <= size; i += 8)
            seen |= load<std::uint64_t>(at + i);
        return (seen & high_bits) == 0;
    }
    if (size >= 4)
        return ((load<std::uint32_t>(at) | load<std::uint32_t>(at + size - 4)) &
                static_cast<std::uint32_t>(high_bits)) == 0;
    std::uint8_t seen = 0;
    for (const std::uint8_t byte : text)
        seen |= byte;
    return seen < 0x80U;
}

bool read_text(ProtoCursor& cursor, std::string_view& out) {
    ByteView view;
    if (!cursor.bytes(view))
        return false;
    out = as_text(view);
    return is_ascii(view) || valid_utf8(out);
}

// A field with another wire type than the declared one is an unknown field to protobuf.
constexpr std::uint64_t key(int number, WireType type) {
    return static_cast<std::uint64_t>(number) << 3U | static_cast<std::uint64_t>(type);
}
// Of any other field.
bool skip(ProtoCursor& cursor, std::uint64_t tag) {
    return tag >= 8 && tag <= 0xffffffffU && cursor.skip(static_cast<WireType>(tag & 7U));
}

bool read_map_entry(ProtoCursor& outer, std::string_view& name, std::string_view& value) {
    ByteView entry;
    if (!outer.bytes(entry))
        return false;
    ProtoCursor cursor(entry);
    while (!cursor.at_end()) {
        std::uint64_t tag = 0;
        if (!cursor.varint(tag))
            return false;
        const bool read = tag == key(1, WireType::bytes)   ? read_text(cursor, name)
                          : tag == key(2, WireType::bytes) ? read_text(cursor, value)
                                                           : skip(cursor, tag);
        if (!read)
            return false;
    }
    return true;
}

bool read_label(ProtoCursor& cursor, MetricFields& out) {
    std::string_view name, value;
    if (!read_map_entry(cursor, name, value))
        return false;
    if (name == "source")
        out.source_label = value;
    else if (name == "index")
        out.index_label = value;
    return true;
}

bool metric_field(ProtoCursor& cursor, std::uint64_t tag, MetricFields& out) {
    std::uint64_t number = 0;
    ByteView view;
    switch (tag) {
        case key(Metric::kMetricNameFieldNumber, WireType::bytes):
            return read_text(cursor, out.name);
        case key(Metric::kMetricTypeFieldNumber, WireType::bytes):
            return read_text(cursor, out.type);
        case key(Metric::kUnitFieldNumber, WireType::bytes):
            return read_text(cursor, out.unit);
        case key(Metric::kIndexFieldNumber, WireType::bytes):
            return read_text(cursor, out.index);
        case key(Metric::kStringValueFieldNumber, WireType::bytes):
            return read_text(cursor, out.text);
        case key(Metric::kLabelsFieldNumber, WireType::bytes):
            return read_label(cursor, out);
        case key(Metric::kBinaryValueFieldNumber, WireType::bytes):
            if (!cursor.bytes(view))
                return false;
            out.binary = as_text(view);
            return true;
        case key(Metric::kNumericValueFieldNumber, WireType::fixed64):
            if (!cursor.fixed64(number))
                return false;
            out.numeric = std::bit_cast<double>(number);
            return true;
        case key(Metric::kBooleanValueFieldNumber, WireType::varint):
            if (!cursor.varint(number))
                return false;
            out.boolean = number != 0;
            return true;
        case key(Metric::kValueKindFieldNumber, WireType::varint):
            if (!cursor.varint(number))
                return false;
            out.value_kind = static_cast<int>(number);
            return true;
        case key(Metric::kCounterValueFieldNumber, WireType::varint):
            return cursor.varint(out.counter);
        default:
            return skip(cursor, tag);
    }
}

// Twice in one event it is merged, as protobuf does.
bool read_metric_data(ProtoCursor& outer, MetricFields& out) {
    ByteView data;
    if (!outer.bytes(data))
        return false;
    ProtoCursor cursor(data);
    while (!cursor.at_end()) {
        std::uint64_t tag = 0;
        if (!cursor.varint(tag) || !metric_field(cursor, tag, out))
            return false;
    }
    return true;
}

bool event_field(ProtoCursor& cursor, std::uint64_t tag, MetricFields& out) {
    std::string_view name, value;
    switch (tag) {
        case key(Telemetry::kMetricDataFieldNumber, WireType::bytes):
            return read_metric_data(cursor, out);
        case key(Telemetry::kEventTypeFieldNumber, WireType::bytes):
            return read_text(cursor, out.event_type);
        case key(Telemetry::kSeverityFieldNumber, WireType::bytes):
            return read_text(cursor, out.severity);
        case key(Telemetry::kEventTimestampNsFieldNumber, WireType::varint):
            return cursor.varint(out.time_ns);
        case key(Telemetry::kEventIdFieldNumber, WireType::bytes):
        case key(Telemetry::kTagsFieldNumber, WireType::bytes):
        case key(Telemetry::kSourceComponentFieldNumber, WireType::bytes):
            return read_text(cursor, value);
        case key(Telemetry::kAttributesFieldNumber, WireType::bytes):
            return read_map_entry(cursor, name, value);
        case key(Telemetry::kLogDataFieldNumber, WireType::bytes):
        case key(Telemetry::kAlarmDataFieldNumber, WireType::bytes):
        case key(Telemetry::kStatusDataFieldNumber, WireType::bytes):
        case key(Telemetry::kSecurityEventFieldNumber, WireType::bytes):
        case key(Telemetry::kAuditEventFieldNumber, WireType::bytes):
            return false;
        default:
            return skip(cursor, tag);
    }
}

bool names_another_kind(std::string_view event_type) {
    if (event_type == "METRIC")
        return false;
    static constexpr std::array<std::string_view, 5> words{"LOG", "ALARM", "STATUS", "SECURITY",
                                                           "AUDIT"};
    for (const std::string_view word : words)
        if (event_type == word)
            return true;
    return false;
}

}  // namespace

bool read_record(ByteView record, RecordFields& out, std::vector<ByteView>& events) {
    ProtoCursor cursor(record);
    while (!cursor.at_end()) {
        std::uint64_t tag = 0;
        if (!cursor.varint(tag))
            return false;
        ByteView view;
        bool read = true;
        switch (tag) {
            case key(Record::kEventsFieldNumber, WireType::bytes):
                read = cursor.bytes(view);
                events.push_back(view);
                break;
            case key(Record::kDeviceIdFieldNumber, WireType::bytes):
                read = read_text(cursor, out.device);
                break;
            case key(Record::kCollectionAgentFieldNumber, WireType::bytes):
                read = read_text(cursor, out.collection_agent);
                break;
            case key(Record::kTimestampNsFieldNumber, WireType::varint):
                read = cursor.varint(out.timestamp_ns);
                break;
            default:
                read = skip(cursor, tag);
        }
        if (!read)
            return false;
    }
    return true;
}

bool read_metric(ByteView event, MetricFields& out) {
    ProtoCursor cursor(event);
    while (!cursor.at_end()) {
        std::uint64_t tag = 0;
        if (!cursor.varint(tag) || !event_field(cursor, tag, out))
            return false;
    }
    return !names_another_kind(out.event_type);
}

}  // namespace amoskys::wire
