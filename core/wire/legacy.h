// The earlier system's Envelope: read from imported logs and from publishers that still send it.
// Stored as received; nothing is encoded again but to compare. Used by the bus, import and readers.
// Sans-io; no clock; thread-safe. cut_legacy() returns views into its input.
//
// Signed bytes: the serialization of {version, ts_ns, idempotency_key, flow} (custody rule 14).
#pragma once

#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/base/types.h"
#include "core/wire/envelope.h"
#include "proto/messaging_schema.pb.h"

namespace amoskys::wire {

struct CutLegacy {
    std::string_view version, idempotency_key;
    UnixNanos ts_ns = 0;
    ByteView flow;                       // serialized FlowEvent; empty where there is none
    ByteView signature, prev_signature;  // each empty or 64 bytes
    ByteView payload;                    // opaque
    std::string_view device;             // flow.src_ip
    UnixNanos event_ns = 0;              // ts_ns, or where that is 0 the flow's start or end
};

// bad_data: envelope_too_large, envelope_empty, envelope_not_canonical ("non-canonical envelope
// (field N)": fields not ascending, wrong wire type, overlong varint, a signature of another length
// than 0 and 64, a key above 256 bytes), payload_missing (neither flow nor payload),
// payload_malformed (the flow). Unknown fields are kept. Default values may be written.
Result<CutLegacy> cut_legacy(ByteView stored, std::size_t limit_bytes = max_envelope_bytes);

Digest legacy_digest(ByteView stored);  // SHA-256 of all stored bytes: what the record header holds

// bad_data "envelope_malformed" where protobuf does not take it (text that is not UTF-8).
Result<messaging::Envelope> decode_legacy(ByteView stored);
std::string encode_legacy(const messaging::Envelope& envelope);  // deterministic, as a whole
std::string legacy_signed_bytes(const messaging::Envelope& envelope);
// Decoding and encoding gives the same bytes: then what is stored is what the publisher made.
bool legacy_reencodes(ByteView stored);

// What a flow says where the earlier system wrote 11-14 instead of 5-10. Views into `flow`.
struct FlowFacts {
    std::string_view protocol;
    std::uint64_t bytes_sent = 0, bytes_recv = 0;
    UnixNanos end_ns = 0;  // 0 = not known
};
FlowFacts flow_facts(const messaging::FlowEvent& flow);

}  // namespace amoskys::wire
