#include "core/wire/payload_walk.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <vector>

#include "core/base/check.h"
#include "core/wire/proto_cursor.h"
#include "proto/messaging_schema.pb.h"
#include "proto/universal_telemetry.pb.h"

namespace amoskys::wire {
namespace {

namespace pb = google::protobuf;

// What the walk does with a message beyond checking it.
enum class Role : std::uint8_t { other, record, event, batch, process, flow, gap };

// What to do at a tag. The bytes actions stand last: a length follows the tag.
enum class Action : std::uint8_t {
    bad,
    number,  // a varint that the role asks for
    skip_varint,
    skip_fixed32,
    skip_fixed64,
    skip_bytes,
    text,  // bytes that the role asks for
    message,
    packed_varint,
    packed_fixed32,
    packed_fixed64,
};

struct Step {
    Action action = Action::bad;
    std::uint8_t at = 0;  // field number for the role; of a message the index of its shape
};

constexpr std::uint32_t known_numbers = 128;  // higher ones are walked as unknown fields

struct MessageShape {
    Role role = Role::other;
    std::array<Step, known_numbers * 8> steps;  // by number << 3 | wire type: one look for a tag
};

Action skip_of(std::uint64_t tag) {
    switch (tag & 7U) {
        case 0:
            return Action::skip_varint;
        case 1:
            return Action::skip_fixed64;
        case 2:
            return Action::skip_bytes;
        case 5:
            return Action::skip_fixed32;
        default:
            return Action::bad;
    }
}

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

Action packed_of(WireType element) {
    return element == WireType::varint    ? Action::packed_varint
           : element == WireType::fixed32 ? Action::packed_fixed32
                                          : Action::packed_fixed64;
}

// The fields that the walk reads, by what they stand in.
bool role_reads(Role role, std::uint32_t field) {
    switch (role) {
        case Role::record:
            return field == messaging::DeviceTelemetry::kTimestampNsFieldNumber ||
                   field == messaging::DeviceTelemetry::kDeviceIdFieldNumber;
        case Role::event:
            return field == messaging::TelemetryEvent::kEventTimestampNsFieldNumber;
        case Role::process:
            return field == messaging::ProcessEvent::kEventTimeNsFieldNumber;
        case Role::flow:
            return field == messaging::FlowEvent::kStartTimeFieldNumber ||
                   field == messaging::FlowEvent::kEndTimeFieldNumber;
        case Role::batch:
            return field == messaging::TelemetryBatch::kDeviceIdFieldNumber;
        case Role::gap:
            return true;
        case Role::other:
            break;
    }
    return false;
}

// The shapes of all messages in the payloads, taken from the generated descriptors once: the .proto
// files stay the only place where the schema is written.
class Shapes {
  public:
    Shapes() {
        add(*messaging::FlowEvent::descriptor(), Role::flow);
        add(*messaging::ProcessEvent::descriptor(), Role::process);
        add(*messaging::TelemetryEvent::descriptor(), Role::event);
        add(*messaging::DeviceTelemetry::descriptor(), Role::record);
        add(*messaging::TelemetryBatch::descriptor(), Role::batch);
        add(*messaging::GapMarker::descriptor(), Role::gap);
    }
    const MessageShape& operator[](std::size_t index) const { return *shapes_[index]; }
    const MessageShape& of(PayloadKind kind) const {
        switch (kind) {
            case PayloadKind::flow:
                return of(*messaging::FlowEvent::descriptor());
            case PayloadKind::process:
                return of(*messaging::ProcessEvent::descriptor());
            case PayloadKind::batch:
                return of(*messaging::TelemetryBatch::descriptor());
            case PayloadKind::gap:
                return of(*messaging::GapMarker::descriptor());
            case PayloadKind::device:
                break;
        }
        return of(*messaging::DeviceTelemetry::descriptor());
    }

  private:
    const MessageShape& of(const pb::Descriptor& type) const { return *shapes_[index_.at(&type)]; }

    // Messages with a role come before those that contain them.
    std::uint8_t add(const pb::Descriptor& type, Role role) {
        const auto [at, added] = index_.try_emplace(&type, shapes_.size());
        if (!added)
            return static_cast<std::uint8_t>(at->second);
        const std::size_t index = shapes_.size();
        check(index < 256, "a shape's index fits in a byte");
        shapes_.push_back(std::make_unique<MessageShape>());
        MessageShape& shape = *shapes_.back();
        shape.role = role;
        for (std::uint32_t tag = 8; tag < shape.steps.size(); ++tag)
            shape.steps[tag].action = skip_of(tag);
        for (int i = 0; i < type.field_count(); ++i)
            if (static_cast<std::uint32_t>(type.field(i)->number()) < known_numbers)
                add_field(shape, *type.field(i));
        return static_cast<std::uint8_t>(index);
    }

    // With another wire type than the declared one it is an unknown field to protobuf.
    void add_field(MessageShape& shape, const pb::FieldDescriptor& field) {
        const auto number = static_cast<std::uint32_t>(field.number());
        const WireType wire = wire_type_of(field);
        const auto step = [&](WireType type) -> Step& {
            return shape.steps[number << 3U | static_cast<std::uint32_t>(type)];
        };
        if (field.is_packable())
            step(WireType::bytes).action = packed_of(wire);
        if (field.message_type() != nullptr)
            step(wire) = {Action::message, add(*field.message_type(), Role::other)};
        else if (role_reads(shape.role, number) && wire == WireType::varint)
            step(wire) = {Action::number, static_cast<std::uint8_t>(number)};
        else if (role_reads(shape.role, number) && wire == WireType::bytes)
            step(wire) = {Action::text, static_cast<std::uint8_t>(number)};
    }

    std::map<const pb::Descriptor*, std::size_t> index_;
    std::vector<std::unique_ptr<MessageShape>> shapes_;
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
        const std::uint8_t* at = data.data();
        const std::uint8_t* const end = at + data.size();
        Scope scope;
        while (at != end) {
            std::uint64_t tag = 0;
            if (!read_varint(at, end, tag) || tag > 0xffffffffU)
                return fail("bad tag");
            const Step step = tag < shape.steps.size() ? shape.steps[tag] : Step{skip_of(tag)};
            if (step.action == Action::bad)
                return fail("bad tag");
            const bool well = step.action >= Action::skip_bytes
                                  ? bytes(at, end, step, shape, depth, scope)
                                  : number(at, end, step, shape, scope);
            if (!well)
                return fail("bad length or number");
        }
        finish(shape.role, scope, parent);
        return true;
    }
    std::string_view error() const { return error_; }

  private:
    bool number(const std::uint8_t*& at, const std::uint8_t* end, Step step,
                const MessageShape& shape, Scope& scope) {
        if (step.action == Action::skip_fixed64)
            return skip(at, end, 8);
        if (step.action == Action::skip_fixed32)
            return skip(at, end, 4);
        std::uint64_t value = 0;
        if (!read_varint(at, end, value))
            return false;
        if (step.action == Action::number)
            note(shape.role, step.at, value, scope);
        return true;
    }

    bool bytes(const std::uint8_t*& at, const std::uint8_t* end, Step step,
               const MessageShape& shape, unsigned depth, Scope& scope) {
        std::uint64_t size = 0;
        if (!read_varint(at, end, size))
            return false;
        const ByteView inner(at, end);
        if (!skip(at, end, size))
            return false;
        const ByteView view = inner.first(size);
        switch (step.action) {
            case Action::message:
                return message(view, shapes_[step.at], depth + 1, &scope);
            case Action::text:
                text(shape.role, step.at, view, scope);
                return true;
            case Action::packed_varint:
                return packed(view);
            case Action::packed_fixed32:
                return size % 4 == 0;
            case Action::packed_fixed64:
                return size % 8 == 0;
            default:
                return true;
        }
    }

    static bool skip(const std::uint8_t*& at, const std::uint8_t* end, std::uint64_t size) {
        if (size > static_cast<std::size_t>(end - at))
            return false;
        at += size;
        return true;
    }

    static bool packed(ByteView data) {
        const std::uint8_t* at = data.data();
        const std::uint8_t* const end = at + data.size();
        std::uint64_t value = 0;
        while (at != end)
            if (!read_varint(at, end, value))
                return false;
        return true;
    }

    void note(Role role, std::uint32_t field, std::uint64_t value, Scope& scope) {
        if (role == Role::gap)
            gap_number(field, value);
        else if (role == Role::flow && field == messaging::FlowEvent::kEndTimeFieldNumber)
            scope.end_ns = value;
        else
            scope.start_ns = value;
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
        if (role == Role::gap && field == messaging::GapMarker::kReasonFieldNumber) {
            facts_.gap.reason = as_text(value);
        } else if (role == Role::gap && field == messaging::GapMarker::kLastSigFieldNumber) {
            facts_.gap.last_signature = value;
        } else if (role != Role::gap && !value.empty()) {
            scope.device = true;
            if (visit_ != nullptr)
                visit_(context_, as_text(value));
        }
    }

    void finish(Role role, const Scope& scope, Scope* parent) {
        switch (role) {
            case Role::event:
                ++facts_.events;
                note_time(scope.start_ns);
                if (parent != nullptr) {
                    parent->events = true;
                    parent->untimed_events |= scope.start_ns == 0;
                }
                break;
            case Role::process:
            case Role::flow:
                ++facts_.events;
                note_time(scope.start_ns);
                note_time(scope.end_ns);
                facts_.untimed |= scope.start_ns == 0 && scope.end_ns == 0;
                if (parent != nullptr)
                    parent->events = true;
                else
                    facts_.no_device = true;
                break;
            case Role::record:
                if (scope.untimed_events) {
                    note_time(scope.start_ns);
                    facts_.untimed |= scope.start_ns == 0;
                }
                facts_.no_device |= scope.events && !scope.device;
                break;
            case Role::batch:
                facts_.no_device |= scope.events && !scope.device;
                break;
            case Role::gap:
                note_time(facts_.gap.from_ns);
                note_time(facts_.gap.to_ns);
                facts_.untimed |= facts_.gap.from_ns == 0;
                facts_.no_device = true;
                break;
            case Role::other:
                break;
        }
    }

    void note_time(std::uint64_t time_ns) {
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

    const Shapes& shapes_ = shapes();
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
