#include "core/wire/event.h"

#include <google/protobuf/arena.h>

#include <array>
#include <deque>

#include "core/wire/envelope.h"
#include "core/wire/legacy.h"
#include "core/wire/metric_fields.h"
#include "core/wire/proto_cursor.h"
#include "core/wire/protobuf_log.h"
#include "core/wire/stored_form.h"

namespace amoskys::wire {
namespace {

using Visit = std::function<bool(const Event&)>;

constexpr std::size_t arena_block_bytes = 65536;
constexpr std::size_t stored_limit_bytes = 16U << 20U;  // of a record, as wal/record.h

bool parse(google::protobuf::MessageLite& message, ByteView bytes) {
    return bytes.size() <= INT32_MAX &&
           message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

// event_type decides, then which message is there: they are no oneof.
EventKind kind_of(const messaging::TelemetryEvent& event) {
    static constexpr std::array<std::pair<std::string_view, EventKind>, 6> words{{
        {"METRIC", EventKind::metric},
        {"LOG", EventKind::log},
        {"ALARM", EventKind::alarm},
        {"STATUS", EventKind::status},
        {"SECURITY", EventKind::security},
        {"AUDIT", EventKind::audit},
    }};
    for (const auto& [word, kind] : words)
        if (event.event_type() == word)
            return kind;
    if (event.has_log_data())
        return EventKind::log;
    if (event.has_alarm_data())
        return EventKind::alarm;
    if (event.has_status_data())
        return EventKind::status;
    if (event.has_security_event())
        return EventKind::security;
    return event.has_audit_event() ? EventKind::audit : EventKind::metric;
}

// As MetricFields, for what only protobuf could read.
MetricFields fields_of(const messaging::TelemetryEvent& event) {
    const auto label = [&](const char* name) {
        const auto at = event.metric_data().labels().find(name);
        return at == event.metric_data().labels().end() ? std::string_view()
                                                        : std::string_view(at->second);
    };
    const auto& metric = event.metric_data();
    MetricFields out;
    out.event_type = event.event_type();
    out.severity = event.severity();
    out.time_ns = event.event_timestamp_ns();
    out.name = metric.metric_name();
    out.type = metric.metric_type();
    out.unit = metric.unit();
    out.index = metric.index();
    out.text = metric.string_value();
    out.binary = metric.binary_value();
    out.source_label = label("source");
    out.index_label = label("index");
    out.numeric = metric.numeric_value();
    out.counter = metric.counter_value();
    out.value_kind = metric.value_kind();
    out.boolean = metric.boolean_value();
    return out;
}

RecordFields fields_of(const messaging::DeviceTelemetry& record) {
    return {record.device_id(), record.collection_agent(), record.timestamp_ns()};
}

void set_value(const MetricFields& metric, Event& out) {
    using Metric = messaging::MetricData;
    switch (metric.value_kind) {
        case Metric::TEXT:
            out.value = metric.text;
            return;
        case Metric::BOOLEAN:
            out.value = metric.boolean;
            return;
        case Metric::BINARY:
            out.value = metric.binary;
            return;
        default:
            break;
    }
    if (metric.value_kind == Metric::UNSPECIFIED && !metric.text.empty())
        out.value = metric.text;
    else if (metric.counter != 0)
        out.value = metric.counter;
    else
        out.value = metric.numeric;
}

// What the events of one envelope share.
struct Origin {
    std::string_view agent_id, lane;
    UnixNanos ts_ns = 0;
    std::uint64_t offset = 0;
};

std::string_view first_of(std::string_view a, std::string_view b) {
    return a.empty() ? b : a;
}
UnixNanos first_of(UnixNanos a, UnixNanos b) {
    return a == 0 ? b : a;
}

}  // namespace

struct EventDecoder::Impl {
    Impl() : block(arena_block_bytes), arena(block.data(), block.size()) {}

    template <class Message>
    Message* make() {
        return google::protobuf::Arena::CreateMessage<Message>(&arena);
    }

    void reset(const Origin& of) {
        arena.Reset();
        rewritten.clear();
        origin = of;
    }

    bool emit(Event& event) {
        ++counts->events;
        event.offset = origin.offset;
        if (event.severity.empty())
            event.severity = "INFO";
        return (*visit)(event);
    }

    void set_common(const RecordFields& record, UnixNanos time_ns, ByteView bytes, Event& out) {
        out.event_bytes = bytes;
        out.time_ns = first_of(time_ns, first_of(record.timestamp_ns, origin.ts_ns));
        out.device = first_of(record.device, origin.agent_id);
        out.source = first_of(record.collection_agent, origin.lane);
    }

    bool metric(const RecordFields& record, const MetricFields& metric, ByteView bytes) {
        Event& out = metric_row;
        set_common(record, metric.time_ns, bytes, out);
        out.severity = metric.severity;
        out.metric = metric.name;
        out.type = metric.type;
        out.unit = metric.unit;
        out.index = first_of(metric.index, metric.index_label);
        out.source = first_of(metric.source_label, out.source);
        set_value(metric, out);
        return emit(out);
    }

    bool telemetry(const RecordFields& record, ByteView bytes) {
        MetricFields fields;
        if (read_metric(bytes, fields))
            return metric(record, fields, bytes);
        auto* event = make<messaging::TelemetryEvent>();
        if (!parse(*event, bytes)) {
            ++counts->malformed_events;
            return true;
        }
        if (kind_of(*event) == EventKind::metric)
            return metric(record, fields_of(*event), bytes);
        Event out;
        set_common(record, event->event_timestamp_ns(), bytes, out);
        out.kind = kind_of(*event);
        out.event = event;
        out.severity = event->severity();
        return emit(out);
    }

    // The events that can be read alone are given, with as much of the record as they need: one
    // with text that is not UTF-8 does not take the others with it.
    bool record(ByteView bytes) {
        RecordFields fields;
        events.clear();
        if (!read_record(bytes, fields, events)) {
            events.clear();
            fields = salvage_record(bytes);
        }
        if (events.empty() && !parse(*make<messaging::DeviceTelemetry>(), bytes))
            ++counts->malformed_events;
        for (const ByteView event : events)
            if (!telemetry(fields, event))
                return false;
        return true;
    }

    // Whatever of the record's own fields protobuf reads, each alone.
    RecordFields salvage_record(ByteView bytes) {
        using Record = messaging::DeviceTelemetry;
        auto* rest = make<Record>();
        if (auto* whole = make<Record>(); parse(*whole, bytes)) {
            // Lenient encoding: the events' bytes are written anew, as they are not found by ours.
            for (const auto& event : whole->events()) {
                const std::string& text = rewritten.emplace_back(event.SerializeAsString());
                events.push_back(as_bytes(text));
            }
            return fields_of(*whole);
        }
        ProtoCursor cursor(bytes);
        while (!cursor.at_end()) {
            FieldTag tag;
            const std::size_t start = cursor.position();
            if (!cursor.tag(tag))
                break;
            ProtoCursor value = cursor;
            ByteView view;
            if (!cursor.skip(tag.type))
                break;
            if (tag.number == Record::kEventsFieldNumber && value.bytes(view)) {
                events.push_back(view);
            } else if (tag.number != Record::kMetadataFieldNumber &&
                       tag.number != Record::kSecurityFieldNumber) {
                Record part;
                if (parse(part, bytes.subspan(start, cursor.position() - start)))
                    rest->MergeFrom(part);
            }
        }
        return fields_of(*rest);
    }

    bool process(ByteView bytes, std::string_view device) {
        auto* message = make<messaging::ProcessEvent>();
        if (!parse(*message, bytes)) {
            ++counts->malformed_events;
            return true;
        }
        Event out;
        out.kind = EventKind::process;
        out.process = message;
        out.time_ns = first_of(message->event_time_ns(), origin.ts_ns);
        out.device = first_of(device, origin.agent_id);
        out.source = first_of(origin.lane, "proc");
        return emit(out);
    }

    bool flow(ByteView bytes, std::string_view device) {
        auto* message = make<messaging::FlowEvent>();
        if (!parse(*message, bytes)) {
            ++counts->malformed_events;
            return true;
        }
        Event out;
        out.kind = EventKind::flow;
        out.flow = message;
        out.time_ns = first_of(message->start_time(), first_of(message->end_time(), origin.ts_ns));
        out.device = first_of(device, origin.agent_id);
        out.source = first_of(origin.lane, "flow");
        return emit(out);
    }

    // Record by record, so that one that cannot be read does not take the others with it.
    bool batch(ByteView bytes) {
        using Batch = messaging::TelemetryBatch;
        std::string_view device;
        for (const bool emitting : {false, true}) {
            ProtoCursor cursor(bytes);
            while (!cursor.at_end()) {
                FieldTag tag;
                ByteView view;
                if (!cursor.tag(tag))
                    break;
                if (tag.type != WireType::bytes) {
                    if (!cursor.skip(tag.type))
                        break;
                    continue;
                }
                if (!cursor.bytes(view))
                    break;
                bool go_on = true;
                if (!emitting && tag.number == Batch::kDeviceIdFieldNumber)
                    device = as_text(view);  // stands behind what it is for
                else if (emitting && tag.number == Batch::kTelemetryRecordsFieldNumber)
                    go_on = record(view);
                else if (emitting && tag.number == Batch::kProcessesFieldNumber)
                    go_on = process(view, device);
                else if (emitting && tag.number == Batch::kFlowsFieldNumber)
                    go_on = flow(view, device);
                if (!go_on)
                    return false;
            }
        }
        return true;
    }

    bool gap(ByteView bytes) {
        auto* message = make<messaging::GapMarker>();
        if (!parse(*message, bytes)) {
            ++counts->malformed_events;
            return true;
        }
        Event out;
        out.kind = EventKind::gap;
        out.gap = message;
        out.time_ns = first_of(message->from_ns(), origin.ts_ns);
        out.device = origin.agent_id;
        out.source = origin.lane;
        out.severity = "WARN";
        return emit(out);
    }

    bool payload(PayloadKind kind, ByteView bytes) {
        switch (kind) {
            case PayloadKind::flow:
                return flow(bytes, {});
            case PayloadKind::process:
                return process(bytes, {});
            case PayloadKind::device:
                return record(bytes);
            case PayloadKind::batch:
                return batch(bytes);
            case PayloadKind::gap:
                return gap(bytes);
        }
        return true;
    }

    bool universal(ByteView stored) {
        if (const auto cut = cut_top_level(stored, stored_limit_bytes)) {
            origin.agent_id = cut->agent_id;
            origin.lane = cut->lane;
            origin.ts_ns = cut->ts_ns;
            return payload(cut->payload_kind, cut->payload);
        }
        // Not the strict form: what other tools wrote is read as far as its top level holds.
        using Message = messaging::UniversalEnvelope;
        ProtoCursor cursor(stored);
        auto kind = PayloadKind::device;
        ByteView inner, view;
        while (!cursor.at_end()) {
            FieldTag tag;
            const bool read =
                cursor.tag(tag) &&
                (tag.number == Message::kTsNsFieldNumber && tag.type == WireType::varint
                     ? cursor.varint(origin.ts_ns)
                 : tag.type == WireType::bytes ? cursor.bytes(view)
                                               : cursor.skip(tag.type));
            if (!read) {
                ++counts->malformed_envelopes;
                return true;
            }
            if (tag.type != WireType::bytes)
                continue;
            if (tag.number == Message::kAgentIdFieldNumber)
                origin.agent_id = as_text(view);
            else if (tag.number == Message::kLaneFieldNumber)
                origin.lane = as_text(view);
            else if ((tag.number >= Message::kFlowFieldNumber &&
                      tag.number <= Message::kTelemetryBatchFieldNumber) ||
                     tag.number == Message::kGapFieldNumber) {
                kind = static_cast<PayloadKind>(tag.number);
                inner = view;
            }
        }
        if (inner.empty()) {
            ++counts->malformed_envelopes;
            return true;
        }
        return payload(kind, inner);
    }

    bool legacy(ByteView stored) {
        auto* message = make<messaging::Envelope>();
        if (!parse(*message, stored)) {
            ++counts->malformed_envelopes;
            return true;
        }
        if (!message->has_flow())
            return true;
        Event out;
        out.kind = EventKind::flow;
        out.flow = &message->flow();
        out.time_ns = first_of(message->ts_ns(),
                               first_of(message->flow().start_time(), message->flow().end_time()));
        out.device = message->flow().src_ip();
        out.source = "legacy";
        return emit(out);
    }

    std::vector<char> block;  // before arena: outlives it
    google::protobuf::Arena arena;
    Origin origin;
    Event metric_row;                   // used again for each: most events are metrics
    std::vector<ByteView> events;       // of the record at hand
    std::deque<std::string> rewritten;  // bytes behind some of them
    DecodeCounts* counts = nullptr;
    const Visit* visit = nullptr;
};

EventDecoder::EventDecoder() : impl_(std::make_unique<Impl>()) {
    silence_protobuf();
}
EventDecoder::~EventDecoder() = default;

bool EventDecoder::decode_record(RecordKind kind, ByteView stored, const Digest& digest,
                                 std::uint64_t offset,
                                 const std::function<bool(const Event&)>& visit) {
    if (stored_intact(kind, stored, digest))
        return decode(kind, stored, offset, visit);
    ++counts_.altered_envelopes;
    return true;
}

bool EventDecoder::decode(RecordKind kind, ByteView stored, std::uint64_t offset,
                          const Visit& visit) {
    ++counts_.envelopes;
    impl_->reset({{}, {}, 0, offset});
    impl_->counts = &counts_;
    impl_->visit = &visit;
    switch (kind) {
        case RecordKind::universal:
        case RecordKind::gap:
            return impl_->universal(stored);
        case RecordKind::legacy:
            return impl_->legacy(stored);
        case RecordKind::audit:
            return impl_->record(stored);
    }
    ++counts_.malformed_envelopes;
    return true;
}

bool EventDecoder::decode_batch(ByteView batch, std::string_view agent_id, std::string_view lane,
                                const Visit& visit) {
    impl_->reset({agent_id, lane, 0, 0});
    impl_->counts = &counts_;
    impl_->visit = &visit;
    return impl_->batch(batch);
}

}  // namespace amoskys::wire
