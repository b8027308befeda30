// The custody rules as one sans-io machine: what an envelope means for its lane. Used by the bus
// for everything it accepts; the state is the committed one, or the session's expected head of
// uncommitted envelopes. No I/O, no clock; thread-safe.
//
// The caller has done size, CN = agent_id, permission, rate and strict form (cut_envelope) before,
// and asks the duplicate window for envelopes without sequence. Here, in this order (PROTOCOL.md
// "Custody" rule 4):
//
//   names, gap marker's own numbers   INVALID
//   class   old          digest equal to the stored one  OK, duplicate
//                        pruned                          OK, duplicate_unverified
//                        other digest                    SECURITY_VIOLATION "sequence reused",
//                        audit in a gap, or of an old epoch    the same: it was never accepted and
//                        its and not in the log              place is taken
//           ahead        RETRY "waiting for sequence N" (also a gap marker that overlaps what is
//                        there: its publisher makes a new one from N on)
//           new_epoch    as ahead where it does not begin at 1
//   clock   ts_ns, or a new epoch, more than 24 h ahead  INVALID; more than 300 s: clock_ahead
//   key     unknown, another algorithm than the pinned one, signature wrong: SECURITY_VIOLATION
//   chain   next: prev_sig = head, else SECURITY_VIOLATION
//           new_epoch: linked if prev_sig = head (both empty where the bus never saw the lane);
//           otherwise an unlinked reset, at most 3 a Unix day. The next one is refused and closes
//           the lane to unlinked resets until accept_reset(); linked ones go on.
//
// Wrong keys and chains are not INVALID: that would make the publisher drop its data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/types.h"
#include "core/crypto/trust_map.h"
#include "core/wire/envelope.h"

namespace amoskys::wire {

inline constexpr UnixNanos clock_flag_ns = 300ULL * 1000000000ULL;
inline constexpr UnixNanos clock_limit_ns = 24ULL * 3600ULL * 1000000000ULL;
inline constexpr std::uint64_t unlinked_resets_per_day = 3;

struct LaneState {
    Epoch epoch;
    SeqNo last_sequence;   // 0 = nothing yet in this epoch
    Bytes head_signature;  // 64 bytes, or empty where the bus never saw the lane
    // Of the envelope with last_sequence; after a gap that is the marker's, while head_signature is
    // gap.last_sig.
    Digest head_digest{};
    std::uint64_t envelopes = 0, events = 0;  // accepted over all epochs
    // More than unlinked_resets_per_day: closed until accept_reset(), whatever the day.
    std::uint64_t unlinked_resets_today = 0;
    std::uint64_t reset_day = 0;  // Unix day of the counter
    bool operator==(const LaneState&) const = default;
};
// What `pki trust accept-reset` does to a lane.
void accept_reset(LaneState& lane);

// The lane after an envelope that its bus accepted at about `now_ns`: how a log's records make the
// states anew.
LaneState replayed(const CutEnvelope& envelope, const LaneState& lane, const Digest& digest,
                   UnixNanos now_ns);

enum class Class : std::uint8_t { next, old, ahead, new_epoch, unsequenced };
Class classify(const CutEnvelope& envelope, const LaneState& lane);

enum class Status : std::uint8_t {  // of UniversalAck, same numbers
    ok = 0,
    retry = 1,
    invalid = 2,
    overload = 3,
    quota_exceeded = 4,
    processing_error = 5,
    security_violation = 6,
};
std::string_view status_name(Status status);  // "OK", "RETRY", ...

struct Verdict {
    Status status = Status::ok;
    std::string reason;  // empty for a plain OK
    // Small fixed set for metrics; "" for a plain OK: duplicate, duplicate_unverified, ahead,
    // sequence_reused, lane_invalid, gap_invalid, clock_ahead, unknown_key, algorithm,
    // bad_signature, chain_broken, epoch_resets.
    std::string_view reason_label;
    bool append = false;  // to be written (a duplicate is OK without append)
    bool duplicate =
        false;           // of a stored or expected envelope: acknowledged once that is committed
    bool audit = false;  // write an audit record
    bool epoch_reset = false, epoch_linked = false;
    bool clock_ahead = false;  // flag_future_time of the record
    bool store_state = false;  // `after` is to be kept although nothing is appended
    SeqNo expected;            // with RETRY: send from here on
    Digest digest{};           // canonical digest, where it was computed
    LaneState after;           // state once appended; valid if append or store_state
};

struct StoredDigest {  // what the log, or the session's uncommitted envelopes, have of an old one
    bool pruned = false;
    bool found = false;
    Digest digest{};
};
// Asked only for class old. A gap marker is found under its last sequence.
using DigestLookup = StoredDigest (*)(void* context, Epoch epoch, SeqNo sequence);

// Worked out before judge(), perhaps on another thread: it costs nearly all that an envelope costs.
struct Checked {
    Digest digest{};              // canonical_digest()
    bool signature_fits = false;  // by the very key of the input
};
bool signature_fits(const crypto::TrustedKey& key, const CutEnvelope& envelope,
                    const Digest& digest);

struct CustodyInput {
    const CutEnvelope& envelope;
    const LaneState& lane;
    const crypto::TrustedKey* key;  // chosen by the trust map from key_id; nullptr = unknown key
    std::optional<Checked> checked{};
    DigestLookup lookup = nullptr;
    void* lookup_context = nullptr;
    UnixNanos now_ns = 0;
};
Verdict judge(const CustodyInput& input);

}  // namespace amoskys::wire
