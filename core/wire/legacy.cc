#include "core/wire/legacy.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "core/base/check.h"
#include "core/crypto/hash.h"
#include "core/wire/payload_walk.h"
#include "core/wire/proto_cursor.h"
#include "core/wire/protobuf_log.h"

namespace amoskys::wire {
namespace {

using Message = messaging::Envelope;

Error not_canonical(std::uint32_t field) {
    return make_error(ErrorKind::bad_data, "envelope_not_canonical",
                      "non-canonical envelope (field " + std::to_string(field) + ")");
}

bool read_field(ProtoCursor& cursor, FieldTag tag, CutLegacy& out) {
    if (tag.number > Message::kPayloadFieldNumber)
        return cursor.skip(tag.type);
    if (tag.number == Message::kTsNsFieldNumber)
        return tag.type == WireType::varint && cursor.varint(out.ts_ns);
    ByteView value;
    if (tag.type != WireType::bytes || !cursor.bytes(value))
        return false;
    const bool signature_size = value.empty() || value.size() == signature_bytes;
    switch (tag.number) {
        case Message::kVersionFieldNumber:
            out.version = as_text(value);
            return true;
        case Message::kIdempotencyKeyFieldNumber:
            out.idempotency_key = as_text(value);
            return value.size() <= max_idempotency_key_bytes;
        case Message::kFlowFieldNumber:
            out.flow = value;
            return true;
        case Message::kSigFieldNumber:
            out.signature = value;
            return signature_size;
        case Message::kPrevSigFieldNumber:
            out.prev_signature = value;
            return signature_size;
        default:
            out.payload = value;
            return true;
    }
}

// src_ip of a flow that walk_payload() found well formed.
std::string_view source_of(ByteView flow) {
    ProtoCursor cursor(flow);
    FieldTag tag;
    ByteView value;
    std::string_view out;
    while (!cursor.at_end() && cursor.tag(tag)) {
        if (tag.number == messaging::FlowEvent::kSrcIpFieldNumber && tag.type == WireType::bytes) {
            if (!cursor.bytes(value))
                break;
            out = as_text(value);
        } else if (!cursor.skip(tag.type)) {
            break;
        }
    }
    return out;
}

}  // namespace

Result<CutLegacy> cut_legacy(ByteView stored, std::size_t limit_bytes) {
    if (stored.empty())
        return make_error(ErrorKind::bad_data, "envelope_empty", "empty envelope");
    if (stored.size() > limit_bytes)
        return make_error(ErrorKind::bad_data, "envelope_too_large",
                          "Envelope too large (" + std::to_string(stored.size()) + " > " +
                              std::to_string(limit_bytes) + " bytes)");
    CutLegacy out;
    ProtoCursor cursor(stored);
    std::uint32_t previous = 0;
    while (!cursor.at_end()) {
        FieldTag tag;
        if (!cursor.tag(tag) || tag.number <= previous || !read_field(cursor, tag, out))
            return not_canonical(tag.number);
        previous = tag.number;
    }
    if (out.flow.empty() && out.payload.empty())
        return make_error(ErrorKind::bad_data, "payload_missing",
                          "missing payload (flow, field 4, or payload, field 7)");
    PayloadFacts facts;
    const std::string_view wrong =
        walk_payload(PayloadKind::flow, out.flow, nullptr, nullptr, facts);
    if (!wrong.empty())
        return make_error(ErrorKind::bad_data, "payload_malformed",
                          "malformed payload (" + std::string(wrong) + ")");
    out.device = source_of(out.flow);
    out.event_ns = out.ts_ns != 0 ? out.ts_ns : facts.first_ns;
    return out;
}

Digest legacy_digest(ByteView stored) {
    return crypto::sha256(stored);
}

Result<messaging::Envelope> decode_legacy(ByteView stored) {
    silence_protobuf();
    messaging::Envelope out;
    if (stored.size() > INT32_MAX ||
        !out.ParseFromArray(stored.data(), static_cast<int>(stored.size())))
        return make_error(ErrorKind::bad_data, "envelope_malformed",
                          "not a legacy Envelope (" + std::to_string(stored.size()) + " bytes)");
    return out;
}

std::string encode_legacy(const messaging::Envelope& envelope) {
    std::string out;
    google::protobuf::io::StringOutputStream stream(&out);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    check(envelope.SerializeToCodedStream(&coded), "a message in memory serializes");
    coded.Trim();
    return out;
}

std::string legacy_signed_bytes(const messaging::Envelope& envelope) {
    messaging::Envelope part;
    part.set_version(envelope.version());
    part.set_ts_ns(envelope.ts_ns());
    part.set_idempotency_key(envelope.idempotency_key());
    if (envelope.has_flow())
        *part.mutable_flow() = envelope.flow();
    return encode_legacy(part);
}

// The one reader of the deprecated fields.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
FlowFacts flow_facts(const messaging::FlowEvent& flow) {
    FlowFacts out;
    out.protocol = flow.protocol().empty() ? flow.proto() : flow.protocol();
    out.bytes_sent = flow.bytes_sent() != 0 ? flow.bytes_sent() : flow.bytes_tx();
    out.bytes_recv = flow.bytes_recv() != 0 ? flow.bytes_recv() : flow.bytes_rx();
    out.end_ns = flow.end_time();
    if (out.end_ns == 0 && flow.start_time() != 0 && flow.duration_ms() != 0)
        out.end_ns = flow.start_time() + flow.duration_ms() * 1000000ULL;
    return out;
}
#pragma GCC diagnostic pop

bool legacy_reencodes(ByteView stored) {
    const auto decoded = decode_legacy(stored);
    return decoded.has_value() && encode_legacy(*decoded) == as_text(stored);
}

}  // namespace amoskys::wire
