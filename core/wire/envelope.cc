#include "core/wire/envelope.h"

#include <algorithm>
#include <optional>

#include "core/crypto/hash.h"
#include "core/wire/payload_walk.h"
#include "core/wire/proto_cursor.h"
#include "proto/universal_telemetry.pb.h"

namespace amoskys::wire {
namespace {

using Message = messaging::UniversalEnvelope;

Error not_canonical(std::uint32_t field) {
    return make_error(ErrorKind::bad_data, "envelope_not_canonical",
                      "non-canonical envelope (field " + std::to_string(field) + ")");
}

bool legal_number(std::uint32_t number) {
    return number <= 17 || (number >= 100 && number <= 199);
}

bool known_number(std::uint32_t number) {
    return number <= Message::kGapFieldNumber;
}

bool is_varint_field(std::uint32_t number) {
    switch (number) {
        case Message::kTsNsFieldNumber:
        case Message::kRetryCountFieldNumber:
        case Message::kMaxProcessingTimeNsFieldNumber:
        case Message::kRequiresAcknowledgmentFieldNumber:
        case Message::kSequenceFieldNumber:
        case Message::kEpochFieldNumber:
            return true;
        default:
            return false;
    }
}

Priority parse_priority(std::string_view word) {
    if (word == "LOW")
        return Priority::low;
    if (word == "HIGH")
        return Priority::high;
    return word == "URGENT" ? Priority::urgent : Priority::normal;
}

// One pass over the top level. A method returns false where the field breaks the strict form.
class Cutter {
  public:
    explicit Cutter(ByteView stored) : stored_(stored), cursor_(stored) {}

    // The field that is not canonical, if any; 0 where not even its number could be read.
    std::optional<std::uint32_t> run() {
        std::uint32_t previous = 0;
        while (!cursor_.at_end()) {
            const std::size_t start = cursor_.position();
            FieldTag tag;
            if (!cursor_.tag(tag))
                return tag.number;
            const bool repeated =
                tag.number == Message::kProcessingHintsFieldNumber && previous == tag.number;
            if (!legal_number(tag.number) || (tag.number <= previous && !repeated))
                return tag.number;
            previous = tag.number;
            if (!field(tag, start))
                return tag.number;
        }
        if (!version_)
            return Message::kVersionFieldNumber;
        if (out_.signature.empty())
            return Message::kSigFieldNumber;
        return std::nullopt;
    }
    bool has_payload() const { return payloads_ > 0; }
    CutEnvelope& result() { return out_; }

  private:
    bool field(FieldTag tag, std::size_t start) {
        if (tag.number == Message::kEpochReasonFieldNumber && tag.type == WireType::bytes) {
            ByteView value;
            const bool whole = cursor_.bytes(value);
            out_.epoch_reason = as_text(value);
            return whole;
        }
        if (!known_number(tag.number))
            return cursor_.skip(tag.type);
        if (is_varint_field(tag.number)) {
            std::uint64_t value = 0;
            return tag.type == WireType::varint && cursor_.varint(value) && value != 0 &&
                   number(tag.number, value);
        }
        ByteView value;
        if (tag.type != WireType::bytes || !cursor_.bytes(value))
            return false;
        if (value.empty() && tag.number != Message::kProcessingHintsFieldNumber)
            return false;
        if (tag.number == Message::kSigFieldNumber) {
            out_.signature = value;
            out_.before_sig = stored_.first(start);
            out_.after_sig = stored_.subspan(cursor_.position());
            return value.size() == signature_bytes;
        }
        return text(tag.number, value);
    }

    bool number(std::uint32_t field, std::uint64_t value) {
        switch (field) {
            case Message::kTsNsFieldNumber:
                out_.ts_ns = value;
                return true;
            case Message::kRequiresAcknowledgmentFieldNumber:
                out_.requires_acknowledgment = true;
                return value == 1;
            case Message::kSequenceFieldNumber:
                out_.sequence = {value};
                return true;
            case Message::kEpochFieldNumber:
                out_.epoch = {value};
                return true;
            case Message::kRetryCountFieldNumber:
                return false;  // a count that grows cannot be in signed bytes
            default:
                return true;
        }
    }

    bool text(std::uint32_t field, ByteView value) {
        const std::string_view words = as_text(value);
        switch (field) {
            case Message::kVersionFieldNumber:
                version_ = words == envelope_version;
                return version_;
            case Message::kIdempotencyKeyFieldNumber:
                out_.idempotency_key = words;
                return value.size() <= max_idempotency_key_bytes;
            case Message::kFlowFieldNumber:
            case Message::kProcessFieldNumber:
            case Message::kDeviceTelemetryFieldNumber:
            case Message::kTelemetryBatchFieldNumber:
            case Message::kGapFieldNumber:
                out_.payload_kind = static_cast<PayloadKind>(field);
                out_.payload = value;
                return ++payloads_ == 1;
            case Message::kPrevSigFieldNumber:
                out_.prev_signature = value;
                return value.size() == signature_bytes;
            case Message::kSigningAlgorithmFieldNumber:
                out_.algorithm = words;
                return true;
            case Message::kPriorityFieldNumber:
                out_.priority = parse_priority(words);
                return true;
            case Message::kProcessingHintsFieldNumber:
                out_.hint_no_compress = out_.hint_no_compress || words == no_compress_hint;
                return true;
            case Message::kKeyIdFieldNumber:
                out_.key_id = words;
                return true;
            case Message::kLaneFieldNumber:
                out_.lane = words;
                return true;
            case Message::kAgentIdFieldNumber:
                out_.agent_id = words;
                return true;
            default:
                return true;
        }
    }

    ByteView stored_;
    ProtoCursor cursor_;
    CutEnvelope out_;
    bool version_ = false;
    unsigned payloads_ = 0;
};

}  // namespace

Result<CutEnvelope> cut_top_level(ByteView stored, std::size_t limit_bytes) {
    if (stored.empty())
        return make_error(ErrorKind::bad_data, "envelope_empty", "empty envelope");
    if (stored.size() > limit_bytes)
        return make_error(ErrorKind::bad_data, "envelope_too_large",
                          "Envelope too large (" + std::to_string(stored.size()) + " > " +
                              std::to_string(limit_bytes) + " bytes)");
    Cutter cutter(stored);
    if (const auto field = cutter.run())
        return not_canonical(*field);
    if (!cutter.has_payload())
        return make_error(ErrorKind::bad_data, "payload_missing",
                          "missing payload (one of fields 4, 5, 6, 7, 105)");
    return cutter.result();
}

Result<CutEnvelope> cut_envelope(ByteView stored, DeviceVisitor visit, void* context,
                                 std::size_t limit_bytes) {
    AMOSKYS_TRY(out, cut_top_level(stored, limit_bytes));
    PayloadFacts facts;
    const std::string_view wrong =
        walk_payload(out.payload_kind, out.payload, visit, context, facts);
    if (!wrong.empty())
        return make_error(ErrorKind::bad_data, "payload_malformed",
                          "malformed payload (" + std::string(wrong) + ")");
    out.events = facts.events;
    out.gap = facts.gap;
    out.agent_is_device = facts.no_device;
    out.first_event_ns = facts.first_ns;
    out.last_event_ns = facts.last_ns;
    if (facts.untimed && out.ts_ns != 0) {
        out.first_event_ns = facts.first_ns == 0 ? out.ts_ns : std::min(facts.first_ns, out.ts_ns);
        out.last_event_ns = std::max(facts.last_ns, out.ts_ns);
    }
    return out;
}

bool hints_no_compress(ByteView stored) {
    Cutter cutter(stored);
    return !cutter.run() && cutter.result().hint_no_compress;
}

Digest canonical_digest(const CutEnvelope& envelope) {
    return crypto::sha256({envelope.before_sig, envelope.after_sig});
}

std::string canonical_bytes(const CutEnvelope& envelope) {
    std::string out(as_text(envelope.before_sig));
    out += as_text(envelope.after_sig);
    return out;
}

std::string_view priority_name(Priority priority) {
    switch (priority) {
        case Priority::low:
            return "LOW";
        case Priority::high:
            return "HIGH";
        case Priority::urgent:
            return "URGENT";
        case Priority::normal:
            break;
    }
    return "NORMAL";
}

}  // namespace amoskys::wire
