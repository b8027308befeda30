// The envelope cutter: reads the strict form of a UniversalEnvelope (PROTOCOL.md "Custody" rule 2)
// in one pass without allocating, and finds the signed bytes: the envelope as received without
// field 8. Sans-io; no clock. Everything returned views into the input.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/base/types.h"

namespace amoskys::wire {

inline constexpr std::size_t max_envelope_bytes = 131072;

enum class PayloadKind : std::uint8_t { flow = 4, process = 5, device = 6, batch = 7, gap = 105 };
enum class Priority : std::uint8_t { low, normal, high, urgent };

struct CutEnvelope {
    std::string_view agent_id, lane, key_id, algorithm, idempotency_key;
    Priority priority = Priority::normal;
    bool requires_acknowledgment = false;
    std::uint64_t ts_ns = 0;
    SeqNo sequence;  // 0 = without sequence
    Epoch epoch;
    PayloadKind payload_kind = PayloadKind::device;
    ByteView payload;
    ByteView signature;              // 64 bytes
    ByteView prev_signature;         // 0 or 64 bytes
    ByteView before_sig, after_sig;  // canonical bytes = before_sig | after_sig
    std::uint32_t events = 0;        // counted in the payload
    std::uint64_t first_event_ns = 0, last_event_ns = 0;  // 0 where the payload has no time
};

// Called for each device id in the payload (device, batch records, batch.device_id); may repeat.
using DeviceVisitor = void (*)(void* context, std::string_view device_id);

// INVALID reasons: "Envelope too large (131073 > 131072 bytes)", "non-canonical envelope (field
// N)", "empty envelope", "malformed payload (...)". Kind of the Error: bad_data; code:
// envelope_too_large, envelope_not_canonical, payload_malformed, ...
Result<CutEnvelope> cut_envelope(ByteView stored, DeviceVisitor visit = nullptr,
                                 void* context = nullptr,
                                 std::size_t limit_bytes = max_envelope_bytes);

Digest canonical_digest(const CutEnvelope& envelope);  // SHA-256(before_sig | after_sig)

}  // namespace amoskys::wire
