// The custody rules as one sans-io machine: what an envelope means for its lane. No I/O, no clock.
// The order of checks is PROTOCOL.md "Custody" rule 4; the caller has done size, CN, permission and
// rate before. The state is the committed one, or the session's expected head of uncommitted
// envelopes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/bytes.h"
#include "core/base/types.h"
#include "core/crypto/trust_map.h"
#include "core/wire/envelope.h"

namespace amoskys::wire {

struct LaneState {
    Epoch epoch;
    SeqNo last_sequence;   // 0 = nothing yet in this epoch
    Bytes head_signature;  // 64 bytes, or empty where the bus never saw the lane
    Digest head_digest{};
    std::uint64_t envelopes = 0, events = 0;  // accepted over all epochs
    std::uint64_t unlinked_resets_today = 0;
    std::uint64_t reset_day = 0;  // Unix day of the counter
    bool operator==(const LaneState&) const = default;
};

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

struct Verdict {
    Status status = Status::ok;
    std::string reason;  // empty for a plain OK
    std::string_view
        reason_label;     // small fixed set for metrics: "bad_signature", "chain_broken", ...
    bool append = false;  // to be written (a duplicate is OK without append)
    bool duplicate = false;
    bool audit = false;  // write an audit record
    bool epoch_reset = false, epoch_linked = false;
    Digest digest{};  // canonical digest, where it was computed
    LaneState after;  // state once appended; valid if append
};

struct StoredDigest {  // what the log says of an old sequence
    bool pruned = false;
    bool found = false;
    Digest digest{};
};
// Asked only for class old.
using DigestLookup = StoredDigest (*)(void* context, SeqNo sequence);

struct CustodyInput {
    const CutEnvelope& envelope;
    const LaneState& lane;
    const crypto::TrustedKey* key;  // chosen by the trust map from key_id; nullptr = unknown key
    DigestLookup lookup = nullptr;
    void* lookup_context = nullptr;
    std::uint64_t now_ns = 0;
};
Verdict judge(const CustodyInput& input);

}  // namespace amoskys::wire
