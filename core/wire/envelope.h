// The envelope cutter: reads the strict form of a UniversalEnvelope (PROTOCOL.md "Custody" rule 2)
// in one pass without allocating, and finds the signed bytes: the envelope as received without
// field 8. Used by the bus on everything it accepts and by readers of the log. Sans-io; no clock;
// thread-safe. Everything returned views into the input.
//
//   +------------------------------+----------------+--------------------------------------+
//   | 1 2 3, one of 4 5 6 7        | 42 40 64 bytes | 9 10 ... 17, 100 ... 199             |
//   +------------------------------+----------------+--------------------------------------+
//   `-------- before_sig ----------'      sig       `------------- after_sig --------------'
//
// Strict form, else "non-canonical envelope (field N)": fields 1-17 and 100-199, strictly ascending
// (13 may repeat), each with its declared wire type; minimal varints; no groups; no default values
// (0, empty; an empty element of 13 is none); field 17 is 1; field 1 is "1.0"; 3 at most 256 bytes;
// 8 is 64 bytes; 9 is absent or 64 bytes; 15 is absent; exactly one of 4, 5, 6, 7, 105. 106-199 are
// kept. The payload is walked by the shape of its messages: lengths, varints and packed lists hold,
// no groups, nesting at most 16. Its text is not looked at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/base/types.h"

namespace amoskys::wire {

inline constexpr std::size_t max_envelope_bytes = 131072;
inline constexpr std::size_t max_idempotency_key_bytes = 256;
inline constexpr std::size_t signature_bytes = 64;
inline constexpr std::string_view envelope_version = "1.0";
// The processing hint that the transport heeds: the payload is compressed already.
inline constexpr std::string_view no_compress_hint = "no-compress";

enum class PayloadKind : std::uint8_t { flow = 4, process = 5, device = 6, batch = 7, gap = 105 };
enum class Priority : std::uint8_t {
    low,
    normal,
    high,
    urgent
};  // a word we do not know is normal

// A GapMarker as it stands there; all zero in envelopes of another kind.
struct GapFacts {
    SeqNo first, last;
    std::uint64_t envelopes = 0, events = 0;
    std::string_view reason;
    ByteView last_signature;
    UnixNanos from_ns = 0, to_ns = 0;
};

struct CutEnvelope {
    std::string_view agent_id, lane, key_id, algorithm, idempotency_key;
    Priority priority = Priority::normal;
    bool requires_acknowledgment = false;
    bool hint_no_compress = false;
    std::string_view epoch_reason;
    UnixNanos ts_ns = 0;
    SeqNo sequence;  // 0 = without sequence
    Epoch epoch;
    PayloadKind payload_kind = PayloadKind::device;
    ByteView payload;
    GapFacts gap;
    ByteView signature;              // 64 bytes
    ByteView prev_signature;         // 0 or 64 bytes
    ByteView before_sig, after_sig;  // canonical bytes = before_sig | after_sig
    // Counted in the payload; a gap marker has none of its own.
    std::uint32_t events = 0;
    // Earliest and latest time of an event as EventDecoder tells it (ts_ns where an event has no
    // other; a flow from start to end, a gap from from_ns to to_ns); 0 where there is no event.
    UnixNanos first_event_ns = 0, last_event_ns = 0;
    // Some event names no device: readers take agent_id for it.
    bool agent_is_device = false;
};

// Called for each device id in the payload (device, batch records, batch.device_id); may repeat.
using DeviceVisitor = void (*)(void* context, std::string_view device_id);

// Reasons are those of an INVALID answer. Kind of the Error: bad_data. Codes:
//   envelope_too_large      "Envelope too large (131073 > 131072 bytes)"
//   envelope_empty          "empty envelope"
//   envelope_not_canonical  "non-canonical envelope (field N)"
//   payload_missing         "missing payload (one of fields 4, 5, 6, 7, 105)"
//   payload_malformed       "malformed payload (...)"
Result<CutEnvelope> cut_envelope(ByteView stored, DeviceVisitor visit = nullptr,
                                 void* context = nullptr,
                                 std::size_t limit_bytes = max_envelope_bytes);

// As cut_envelope with no look into the payload, for readers that decode it themselves: events,
// times, gap and agent_is_device stay as they are in an empty one.
Result<CutEnvelope> cut_top_level(ByteView stored, std::size_t limit_bytes = max_envelope_bytes);

// Whether the top level carries that hint; the payload is not walked.
bool hints_no_compress(ByteView stored);

Digest canonical_digest(const CutEnvelope& envelope);      // SHA-256(before_sig | after_sig)
std::string canonical_bytes(const CutEnvelope& envelope);  // before_sig | after_sig, copied

std::string_view priority_name(Priority priority);  // LOW NORMAL HIGH URGENT

}  // namespace amoskys::wire
