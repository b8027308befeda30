#include "core/wire/builder.h"

#include "core/base/check.h"
#include "core/crypto/hash.h"
#include "core/wire/proto_cursor.h"
#include "proto/universal_telemetry.pb.h"

namespace amoskys::wire {
namespace {

using Message = messaging::UniversalEnvelope;

// The order of the calls is the order of the fields; an absent field is one with its default value.
class Writer {
  public:
    void number(std::uint32_t field, std::uint64_t value) {
        if (value == 0)
            return;
        put_tag(out_, field, WireType::varint);
        put_varint(out_, value);
    }
    void text(std::uint32_t field, std::string_view value) {
        if (value.empty())
            return;
        put_tag(out_, field, WireType::bytes);
        put_varint(out_, value.size());
        out_ += value;
    }
    std::string& bytes() { return out_; }

  private:
    std::string out_;
};

std::string gap_payload(const EnvelopeBuilder::Gap& gap) {
    using Gap = messaging::GapMarker;
    Writer writer;
    writer.number(Gap::kFirstSequenceFieldNumber, gap.first.value);
    writer.number(Gap::kLastSequenceFieldNumber, gap.last.value);
    writer.number(Gap::kEnvelopesFieldNumber, gap.envelopes);
    writer.number(Gap::kEventsFieldNumber, gap.events);
    writer.text(Gap::kReasonFieldNumber, gap.reason);
    writer.text(Gap::kLastSigFieldNumber, as_text(gap.last_signature));
    writer.number(Gap::kFromNsFieldNumber, gap.from_ns);
    writer.number(Gap::kToNsFieldNumber, gap.to_ns);
    return std::move(writer.bytes());
}

}  // namespace

struct EnvelopeBuilder::Parts {
    PayloadKind kind = PayloadKind::batch;
    ByteView payload;
    UnixNanos ts_ns = 0;
    std::string_view idempotency_key;
    Priority priority = Priority::normal;
    SeqNo sequence;
    ByteView prev_signature;
    bool requires_acknowledgment = false, hint_no_compress = false;
    std::string_view epoch_reason;
};

EnvelopeBuilder::EnvelopeBuilder(std::string agent_id, std::string lane,
                                 std::shared_ptr<const crypto::SigningKey> key, WriterState state)
    : agent_id_(std::move(agent_id)),
      lane_(std::move(lane)),
      key_(std::move(key)),
      state_(std::move(state)) {
    check(key_ != nullptr, "a builder has a key");
    check(valid_agent_id(agent_id_) && valid_lane(lane_), "agent_id and lane are valid names");
    check(state_.epoch.value != 0, "a lane's epoch is not 0");
}

Result<std::string> EnvelopeBuilder::assemble(const Parts& parts, Signature& signature) const {
    if (parts.payload.empty())
        return make_error(ErrorKind::bad_data, "payload_missing", "empty payload");
    if (parts.idempotency_key.size() > max_idempotency_key_bytes)
        return make_error(ErrorKind::bad_data, "envelope_not_canonical",
                          "idempotency key too long (" +
                              std::to_string(parts.idempotency_key.size()) + " > " +
                              std::to_string(max_idempotency_key_bytes) + " bytes)");
    const auto payload_field = static_cast<std::uint32_t>(parts.kind);
    const bool gap = parts.kind == PayloadKind::gap;

    Writer writer;
    writer.bytes().reserve(parts.payload.size() + envelope_overhead_bytes);
    writer.text(Message::kVersionFieldNumber, envelope_version);
    writer.number(Message::kTsNsFieldNumber, parts.ts_ns);
    writer.text(Message::kIdempotencyKeyFieldNumber, parts.idempotency_key);
    if (!gap)
        writer.text(payload_field, as_text(parts.payload));
    const std::size_t split = writer.bytes().size();
    writer.text(Message::kPrevSigFieldNumber, as_text(parts.prev_signature));
    writer.text(Message::kSigningAlgorithmFieldNumber,
                crypto::algorithm_name(crypto::Algorithm::ed25519_sha256));
    writer.text(Message::kPriorityFieldNumber, priority_name(parts.priority));
    if (parts.hint_no_compress)
        writer.text(Message::kProcessingHintsFieldNumber, no_compress_hint);
    writer.number(Message::kRequiresAcknowledgmentFieldNumber,
                  parts.requires_acknowledgment ? 1 : 0);
    writer.number(Message::kSequenceFieldNumber, parts.sequence.value);
    writer.number(Message::kEpochFieldNumber, state_.epoch.value);
    writer.text(Message::kKeyIdFieldNumber, key_->id());
    writer.text(Message::kLaneFieldNumber, lane_);
    writer.text(Message::kAgentIdFieldNumber, agent_id_);
    if (gap)
        writer.text(payload_field, as_text(parts.payload));
    writer.text(Message::kEpochReasonFieldNumber, parts.epoch_reason);

    std::string& out = writer.bytes();
    signature = key_->sign_digest(crypto::envelope_tag, crypto::sha256(as_bytes(out)));
    Writer sig;
    sig.text(Message::kSigFieldNumber, as_text(signature));
    out.insert(split, sig.bytes());
    if (out.size() > max_envelope_bytes)
        return make_error(ErrorKind::bad_data, "envelope_too_large",
                          "Envelope too large (" + std::to_string(out.size()) + " > " +
                              std::to_string(max_envelope_bytes) + " bytes)");
    return std::move(out);
}

Result<std::string> EnvelopeBuilder::build(const BuildRequest& request) {
    check(request.kind != PayloadKind::gap, "gap markers are made by build_gap()");
    Parts parts;
    parts.kind = request.kind;
    parts.payload = request.payload;
    parts.ts_ns = request.ts_ns;
    parts.idempotency_key = request.idempotency_key;
    parts.priority = request.priority;
    parts.requires_acknowledgment = request.requires_acknowledgment;
    parts.hint_no_compress = request.hint_no_compress;
    parts.epoch_reason = request.epoch_reason;
    parts.sequence = state_.last_sequence.next();
    parts.prev_signature = state_.last_signature;
    Signature signature{};
    AMOSKYS_TRY(out, assemble(parts, signature));
    state_.last_sequence = parts.sequence;
    state_.last_signature = to_bytes(signature);
    return out;
}

Result<std::string> EnvelopeBuilder::build_gap(const Gap& gap, UnixNanos ts_ns) const {
    check(gap.first.value != 0 && gap.first <= gap.last, "a gap has a first and a last envelope");
    check(gap.last_signature.size() == signature_bytes, "a gap knows its last signature");
    const std::string payload = gap_payload(gap);
    Parts parts;
    parts.kind = PayloadKind::gap;
    parts.payload = as_bytes(payload);
    parts.ts_ns = ts_ns;
    parts.sequence = gap.last;
    parts.prev_signature = gap.prev_signature;
    parts.epoch_reason = gap.epoch_reason;
    Signature signature{};
    return assemble(parts, signature);
}

}  // namespace amoskys::wire
