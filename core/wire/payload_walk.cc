#include "core/wire/payload_walk.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "core/wire/proto_cursor.h"
#include "proto/messaging_schema.pb.h"
#include "proto/universal_telemetry.pb.h"

namespace amoskys::wire {
namespace {

namespace pb = google::protobuf;

// What the walk does with a message beyond checking it.
enum class Role : std::uint8_t { other, record, event, batch, process, flow, gap };

struct MessageShape;

struct FieldShape {
    bool known = false;
    bool packable = false;
    WireType wire = WireType::varint;
    const MessageShape* message = nullptr;
};

struct MessageShape {
    Role role = Role::other;
    std::array<FieldShape, 128> fields;  // by number; higher ones are walked as unknown fields
};

WireType wire_type_of(const pb::FieldDescriptor& field) {
    using Field = pb::FieldDescriptor;
    switch (field.type()) {
        case Field::TYPE_DOUBLE:
        case Field::TYPE_FIXED64:
        case Field::TYPE_SFIXED64:
            return WireType::fixed64;
        case Field::TYPE_FLOAT:
        case Field::TYPE_FIXED32:
        case Field::TYPE_SFIXED32:
            return WireType::fixed32;
        case Field::TYPE_STRING:
        case Field::TYPE_BYTES:
        case Field::TYPE_MESSAGE:
        case Field::TYPE_GROUP:
            return WireType::bytes;
        default:
            return WireType::varint;
    }
}

// The shapes of all messages in the payloads, taken from the generated descriptors once: the .proto
// files stay the only place where the schema is written.
class Shapes {
  public:
    Shapes() {
        flow = shape_of(*messaging::FlowEvent::descriptor());
        process = shape_of(*messaging::ProcessEvent::descriptor());
        record = shape_of(*messaging::DeviceTelemetry::descriptor());
        batch = shape_of(*messaging::TelemetryBatch::descriptor());
        gap = shape_of(*messaging::GapMarker::descriptor());
        set_role(*messaging::TelemetryEvent::descriptor(), Role::event);
        set_role(*messaging::FlowEvent::descriptor(), Role::flow);
        set_role(*messaging::ProcessEvent::descriptor(), Role::process);
        set_role(*messaging::DeviceTelemetry::descriptor(), Role::record);
        set_role(*messaging::TelemetryBatch::descriptor(), Role::batch);
        set_role(*messaging::GapMarker::descriptor(), Role::gap);
    }
    const MessageShape& of(PayloadKind kind) const {
        switch (kind) {
            case PayloadKind::flow:
                return *flow;
            case PayloadKind::process:
                return *process;
            case PayloadKind::batch:
                return *batch;
            case PayloadKind::gap:
                return *gap;
            case PayloadKind::device:
                break;
        }
        return *record;
    }

  private:
    const MessageShape* shape_of(const pb::Descriptor& type) {
        const auto [at, added] = shapes_.try_emplace(&type);
        if (!added)
            return at->second.get();
        at->second = std::make_unique<MessageShape>();
        MessageShape& shape = *at->second;
        for (int i = 0; i < type.field_count(); ++i) {
            const pb::FieldDescriptor& field = *type.field(i);
            const auto number = static_cast<std::size_t>(field.number());
            if (number >= shape.fields.size())
                continue;
            FieldShape& out = shape.fields[number];
            out.known = true;
            out.packable = field.is_packable();
            out.wire = wire_type_of(field);
            if (field.message_type() != nullptr)
                out.message = shape_of(*field.message_type());
        }
        return &shape;
    }
    void set_role(const pb::Descriptor& type, Role role) { shapes_.at(&type)->role = role; }

    std::map<const pb::Descriptor*, std::unique_ptr<MessageShape>> shapes_;
    const MessageShape* flow = nullptr;
    const MessageShape* process = nullptr;
    const MessageShape* record = nullptr;
    const MessageShape* batch = nullptr;
    const MessageShape* gap = nullptr;
};

const Shapes& shapes() {
    static const Shapes instance;
    return instance;
}

// What one message tells its parent.
struct Scope {
    std::uint64_t start_ns = 0, end_ns = 0;
    bool untimed_events = false;  // in a record: events that take its timestamp
    bool events = false;          // in a record or batch: events that take its device id
    bool device = false;
};

class Walker {
  public:
    Walker(DeviceVisitor visit, void* context, PayloadFacts& facts)
        : visit_(visit), context_(context), facts_(facts) {}

    bool message(ByteView data, const MessageShape& shape, unsigned depth, Scope* parent) {
        if (depth > max_payload_nesting)
            return fail("nested too deeply");
        ProtoCursor cursor(data);
        Scope scope;
        while (!cursor.at_end()) {
            FieldTag tag;
            if (!cursor.tag(tag))
                return fail("bad tag");
            if (!field(cursor, tag, shape, depth, scope))
                return fail("bad length or number");
        }
        finish(shape.role, scope, parent);
        return true;
    }
    std::string_view error() const { return error_; }

  private:
    bool field(ProtoCursor& cursor, FieldTag tag, const MessageShape& shape, unsigned depth,
               Scope& scope) {
        static constexpr FieldShape unknown;
        const FieldShape& known =
            tag.number < shape.fields.size() ? shape.fields[tag.number] : unknown;
        if (!known.known)
            return cursor.skip(tag.type);
        ByteView view;
        if (tag.type == WireType::bytes && known.packable)
            return cursor.bytes(view) && packed(view, known.wire);
        if (tag.type != known.wire)
            return cursor.skip(tag.type);  // to protobuf this is an unknown field
        if (tag.type == WireType::varint) {
            std::uint64_t value = 0;
            if (!cursor.varint(value))
                return false;
            number(shape.role, tag.number, value, scope);
            return true;
        }
        if (tag.type != WireType::bytes)
            return cursor.skip(tag.type);
        if (!cursor.bytes(view))
            return false;
        if (known.message != nullptr)
            return message(view, *known.message, depth + 1, &scope);
        text(shape.role, tag.number, view, scope);
        return true;
    }

    static bool packed(ByteView data, WireType element) {
        ProtoCursor cursor(data);
        while (!cursor.at_end())
            if (!cursor.skip(element))
                return false;
        return true;
    }

    void number(Role role, std::uint32_t field, std::uint64_t value, Scope& scope) {
        if ((role == Role::record &&
             field == messaging::DeviceTelemetry::kTimestampNsFieldNumber) ||
            (role == Role::event &&
             field == messaging::TelemetryEvent::kEventTimestampNsFieldNumber) ||
            (role == Role::process && field == messaging::ProcessEvent::kEventTimeNsFieldNumber) ||
            (role == Role::flow && field == messaging::FlowEvent::kStartTimeFieldNumber))
            scope.start_ns = value;
        else if (role == Role::flow && field == messaging::FlowEvent::kEndTimeFieldNumber)
            scope.end_ns = value;
        else if (role == Role::gap)
            gap_number(field, value);
    }

    void gap_number(std::uint32_t field, std::uint64_t value) {
        using Gap = messaging::GapMarker;
        GapFacts& gap = facts_.gap;
        if (field == Gap::kFirstSequenceFieldNumber)
            gap.first = {value};
        else if (field == Gap::kLastSequenceFieldNumber)
            gap.last = {value};
        else if (field == Gap::kEnvelopesFieldNumber)
            gap.envelopes = value;
        else if (field == Gap::kEventsFieldNumber)
            gap.events = value;
        else if (field == Gap::kFromNsFieldNumber)
            gap.from_ns = value;
        else if (field == Gap::kToNsFieldNumber)
            gap.to_ns = value;
    }

    void text(Role role, std::uint32_t field, ByteView value, Scope& scope) {
        const bool device_id =
            (role == Role::record && field == messaging::DeviceTelemetry::kDeviceIdFieldNumber) ||
            (role == Role::batch && field == messaging::TelemetryBatch::kDeviceIdFieldNumber);
        if (device_id && !value.empty()) {
            scope.device = true;
            if (visit_ != nullptr)
                visit_(context_, as_text(value));
        } else if (role == Role::gap && field == messaging::GapMarker::kReasonFieldNumber) {
            facts_.gap.reason = as_text(value);
        } else if (role == Role::gap && field == messaging::GapMarker::kLastSigFieldNumber) {
            facts_.gap.last_signature = value;
        }
    }

    void finish(Role role, const Scope& scope, Scope* parent) {
        switch (role) {
            case Role::event:
                ++facts_.events;
                note(scope.start_ns);
                if (parent != nullptr) {
                    parent->events = true;
                    parent->untimed_events |= scope.start_ns == 0;
                }
                break;
            case Role::process:
            case Role::flow:
                ++facts_.events;
                note(scope.start_ns);
                note(scope.end_ns);
                facts_.untimed |= scope.start_ns == 0 && scope.end_ns == 0;
                if (parent != nullptr)
                    parent->events = true;
                else
                    facts_.no_device = true;
                break;
            case Role::record:
                if (scope.untimed_events) {
                    note(scope.start_ns);
                    facts_.untimed |= scope.start_ns == 0;
                }
                facts_.no_device |= scope.events && !scope.device;
                break;
            case Role::batch:
                facts_.no_device |= scope.events && !scope.device;
                break;
            case Role::gap:
                note(facts_.gap.from_ns);
                note(facts_.gap.to_ns);
                facts_.untimed |= facts_.gap.from_ns == 0;
                facts_.no_device = true;
                break;
            case Role::other:
                break;
        }
    }

    void note(std::uint64_t time_ns) {
        if (time_ns == 0)
            return;
        facts_.first_ns = facts_.first_ns == 0 ? time_ns : std::min(facts_.first_ns, time_ns);
        facts_.last_ns = std::max(facts_.last_ns, time_ns);
    }

    bool fail(std::string_view what) {
        if (error_.empty())
            error_ = what;
        return false;
    }

    DeviceVisitor visit_;
    void* context_;
    PayloadFacts& facts_;
    std::string_view error_;
};

}  // namespace

std::string_view walk_payload(PayloadKind kind, ByteView payload, DeviceVisitor visit,
                              void* context, PayloadFacts& facts) {
    Walker walker(visit, context, facts);
    walker.message(payload, shapes().of(kind), 1, nullptr);
    return walker.error();
}

}  // namespace amoskys::wire
