#include "core/wire/custody.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/base/text.h"
#include "core/crypto/signing.h"

namespace amoskys::wire {
namespace {

constexpr UnixNanos day_ns = 24ULL * 3600ULL * 1000000000ULL;
constexpr std::uint64_t ns_per_ms = 1000000;

bool is_gap(const CutEnvelope& envelope) {
    return envelope.payload_kind == PayloadKind::gap;
}

// Where the envelope begins in its lane: a gap marker stands for several sequences.
SeqNo first_of(const CutEnvelope& envelope) {
    return is_gap(envelope) ? envelope.gap.first : envelope.sequence;
}

bool same(ByteView a, ByteView b) {
    return std::ranges::equal(a, b);
}

std::string digits(std::uint64_t value) {
    return std::to_string(value);
}

Verdict refuse(Status status, std::string_view label, std::string reason) {
    Verdict out;
    out.status = status;
    out.reason = std::move(reason);
    out.reason_label = label;
    out.audit = status == Status::security_violation;
    return out;
}

Verdict wait_for(SeqNo expected) {
    Verdict out = refuse(Status::retry, "ahead", "waiting for sequence " + digits(expected.value));
    out.expected = expected;
    return out;
}

// What is wrong with a gap marker's numbers; empty = nothing.
std::string gap_error(const CutEnvelope& envelope) {
    const GapFacts& gap = envelope.gap;
    if (envelope.sequence.value == 0)
        return "gap marker without sequence";
    if (gap.first.value == 0 || gap.first > gap.last)
        return "gap marker from " + digits(gap.first.value) + " to " + digits(gap.last.value);
    if (envelope.sequence != gap.last)
        return "gap marker of sequence " + digits(envelope.sequence.value) + " ends at " +
               digits(gap.last.value);
    if (gap.envelopes != gap.last.value - gap.first.value + 1)
        return "gap marker counts " + digits(gap.envelopes) + " envelopes from " +
               digits(gap.first.value) + " to " + digits(gap.last.value);
    if (gap.last_signature.size() != signature_bytes)
        return "gap marker with a last_sig of " + digits(gap.last_signature.size()) + " bytes";
    return {};
}

Verdict judge_old(const CustodyInput& input) {
    const CutEnvelope& envelope = input.envelope;
    check(input.lookup != nullptr, "an old sequence needs a digest lookup");
    const Digest digest = input.checked ? input.checked->digest : canonical_digest(envelope);
    const StoredDigest stored =
        input.lookup(input.lookup_context, envelope.epoch, envelope.sequence);
    if (stored.pruned || (stored.found && stored.digest == digest)) {
        Verdict out;
        out.duplicate = true;
        out.reason_label = stored.pruned ? "duplicate_unverified" : "duplicate";
        out.digest = digest;
        return out;
    }
    std::string reason = "sequence reused (sequence " + digits(envelope.sequence.value) +
                         " of epoch " + digits(envelope.epoch.value);
    if (stored.found)
        reason += " was committed with other content)";
    else if (envelope.epoch == input.lane.epoch)
        reason += " lies in a gap)";
    else
        reason += ", the lane is in epoch " + digits(input.lane.epoch.value) + ")";
    Verdict out = refuse(Status::security_violation, "sequence_reused", std::move(reason));
    out.digest = digest;
    return out;
}

// An INVALID verdict, or one that only says whether the clock is to be flagged.
Verdict judge_clock(const CustodyInput& input, Class kind) {
    const CutEnvelope& envelope = input.envelope;
    const UnixNanos ahead_ns = envelope.ts_ns > input.now_ns ? envelope.ts_ns - input.now_ns : 0;
    if (ahead_ns > clock_limit_ns)
        return refuse(Status::invalid, "clock_ahead",
                      "ts_ns is " + digits(ahead_ns / 1000000000U) +
                          " s ahead of the bus (86400 s are allowed)");
    if (kind == Class::new_epoch &&
        envelope.epoch.value > (input.now_ns + clock_limit_ns) / ns_per_ms)
        return refuse(
            Status::invalid, "clock_ahead",
            "epoch " + digits(envelope.epoch.value) + " is more than 86400 s ahead of the bus");
    Verdict out;
    out.clock_ahead = ahead_ns > clock_flag_ns;
    return out;
}

std::optional<Verdict> judge_signature(const CustodyInput& input, const Digest& digest) {
    const CutEnvelope& envelope = input.envelope;
    if (input.key == nullptr || (!envelope.key_id.empty() && envelope.key_id != input.key->id))
        return refuse(
            Status::security_violation, "unknown_key",
            "unknown key " + excerpt(envelope.key_id) + " of agent " + excerpt(envelope.agent_id));
    const std::string_view pinned = crypto::algorithm_name(input.key->algorithm);
    if (envelope.algorithm != pinned)
        return refuse(Status::security_violation, "algorithm",
                      "signing_algorithm '" + excerpt(envelope.algorithm) +
                          "' is not the one the trust map pins (" + std::string(pinned) + ")");
    if (!(input.checked ? input.checked->signature_fits
                        : signature_fits(*input.key, envelope, digest)))
        return refuse(Status::security_violation, "bad_signature",
                      "bad signature (sequence " + digits(envelope.sequence.value) + ", key " +
                          input.key->id + ")");
    return std::nullopt;
}

// The envelope is accepted: the lane afterwards.
LaneState advanced(const CutEnvelope& envelope, const LaneState& lane, const Digest& digest) {
    LaneState out = lane;
    ++out.envelopes;
    out.events += envelope.events;
    if (envelope.sequence.value == 0)
        return out;
    out.epoch = envelope.epoch;
    out.last_sequence = envelope.sequence;
    out.head_signature =
        to_bytes(is_gap(envelope) ? envelope.gap.last_signature : envelope.signature);
    out.head_digest = digest;
    return out;
}

// How many unlinked epochs count on that day so far.
std::uint64_t resets_on(const LaneState& lane, std::uint64_t day) {
    const bool over =
        lane.reset_day != day && lane.unlinked_resets_today <= unlinked_resets_per_day;
    return over ? 0 : lane.unlinked_resets_today;
}

// Fills in what a new epoch means; may turn the verdict into a refusal.
Verdict judge_epoch(const CustodyInput& input, Verdict verdict) {
    const CutEnvelope& envelope = input.envelope;
    const LaneState& lane = input.lane;
    verdict.epoch_linked = same(envelope.prev_signature, lane.head_signature);
    verdict.epoch_reset = lane.epoch.value != 0 || !verdict.epoch_linked;
    verdict.audit = verdict.epoch_reset;
    if (verdict.epoch_linked)
        return verdict;
    const std::uint64_t day = input.now_ns / day_ns;
    const std::uint64_t resets = resets_on(lane, day);
    if (resets >= unlinked_resets_per_day) {
        Verdict out =
            refuse(Status::security_violation, "epoch_resets",
                   "more than " + digits(unlinked_resets_per_day) + " unlinked epochs of lane " +
                       std::string(envelope.lane) + " in a day; `pki trust accept-reset` opens it");
        out.digest = verdict.digest;
        out.store_state = lane.unlinked_resets_today <= unlinked_resets_per_day;
        out.after = lane;
        out.after.unlinked_resets_today = unlinked_resets_per_day + 1;
        out.after.reset_day = day;
        return out;
    }
    verdict.after.unlinked_resets_today = resets + 1;
    verdict.after.reset_day = day;
    return verdict;
}

}  // namespace

bool signature_fits(const crypto::TrustedKey& key, const CutEnvelope& envelope,
                    const Digest& digest) {
    if (key.algorithm == crypto::Algorithm::ed25519_sha256)
        return crypto::verify_digest(key.key, crypto::envelope_tag, digest, envelope.signature);
    return crypto::verify_bytes(key.key, as_bytes(canonical_bytes(envelope)), envelope.signature);
}

LaneState replayed(const CutEnvelope& envelope, const LaneState& lane, const Digest& digest,
                   UnixNanos now_ns) {
    LaneState out = advanced(envelope, lane, digest);
    if (envelope.sequence.value != 0 && envelope.epoch > lane.epoch &&
        !same(envelope.prev_signature, lane.head_signature)) {
        out.reset_day = now_ns / day_ns;
        out.unlinked_resets_today = resets_on(lane, out.reset_day) + 1;
    }
    return out;
}

void accept_reset(LaneState& lane) {
    lane.unlinked_resets_today = 0;
    lane.reset_day = 0;
}

std::string_view status_name(Status status) {
    switch (status) {
        case Status::ok:
            return "OK";
        case Status::retry:
            return "RETRY";
        case Status::invalid:
            return "INVALID";
        case Status::overload:
            return "OVERLOAD";
        case Status::quota_exceeded:
            return "QUOTA_EXCEEDED";
        case Status::processing_error:
            return "PROCESSING_ERROR";
        case Status::security_violation:
            return "SECURITY_VIOLATION";
    }
    return "UNKNOWN";
}

Class classify(const CutEnvelope& envelope, const LaneState& lane) {
    if (envelope.sequence.value == 0)
        return Class::unsequenced;
    if (envelope.epoch != lane.epoch)
        return envelope.epoch > lane.epoch ? Class::new_epoch : Class::old;
    if (envelope.sequence <= lane.last_sequence)
        return Class::old;
    return first_of(envelope) == lane.last_sequence.next() ? Class::next : Class::ahead;
}

Verdict judge(const CustodyInput& input) {
    const CutEnvelope& envelope = input.envelope;
    const bool sequenced = envelope.sequence.value != 0;
    if (sequenced && (!valid_lane(envelope.lane) || envelope.epoch.value == 0))
        return refuse(Status::invalid, "lane_invalid",
                      "a sequence needs a lane of [a-z0-9_-]{1,32} and an epoch (lane '" +
                          excerpt(envelope.lane) + "', epoch " + digits(envelope.epoch.value) +
                          ")");
    if (is_gap(envelope))
        if (std::string error = gap_error(envelope); !error.empty())
            return refuse(Status::invalid, "gap_invalid", std::move(error));

    const Class kind = classify(envelope, input.lane);
    if (kind == Class::old)
        return judge_old(input);
    if (kind == Class::ahead)
        return wait_for(input.lane.last_sequence.next());
    if (kind == Class::new_epoch && first_of(envelope).value != 1)
        return wait_for({1});

    Verdict verdict = judge_clock(input, kind);
    if (verdict.status != Status::ok)
        return verdict;
    verdict.digest = input.checked ? input.checked->digest : canonical_digest(envelope);
    if (auto refused = judge_signature(input, verdict.digest))
        return *refused;
    if (kind == Class::next && !same(envelope.prev_signature, input.lane.head_signature))
        return refuse(Status::security_violation, "chain_broken",
                      "chain broken: prev_sig of sequence " + digits(envelope.sequence.value) +
                          " is not the head of the lane");
    verdict.after = advanced(envelope, input.lane, verdict.digest);
    if (kind == Class::new_epoch)
        verdict = judge_epoch(input, std::move(verdict));
    verdict.append = verdict.status == Status::ok;
    return verdict;
}

}  // namespace amoskys::wire
