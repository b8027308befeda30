// The publisher's side of custody: wraps a payload into the next signed envelope of a lane. Used by
// spools and by tests. Writes the strict form of envelope.h directly, in ascending order; the
// payload is appended as it is. Not thread-safe: one writer per lane. No I/O, no clock; the caller
// stores the bytes and the state together, before it builds the next one.
#pragma once

#include <memory>
#include <string>

#include "core/base/bytes.h"
#include "core/base/types.h"
#include "core/crypto/signing.h"
#include "core/wire/envelope.h"

namespace amoskys::wire {

// The state that a writer keeps durably with its spool.
struct WriterState {
    Epoch epoch;
    SeqNo last_sequence;
    // Empty at the start of a lane, or the head given by WELCOME for a new epoch.
    Bytes last_signature;
    bool operator==(const WriterState&) const = default;
};

struct BuildRequest {
    PayloadKind kind = PayloadKind::batch;  // not gap: that is build_gap()
    ByteView payload;  // serialized DeviceTelemetry, TelemetryBatch, FlowEvent or ProcessEvent
    UnixNanos ts_ns = 0;
    std::string idempotency_key = {};  // optional
    Priority priority = Priority::normal;
    bool requires_acknowledgment = false;
    bool hint_no_compress = false;
    std::string_view epoch_reason = {};  // of the first envelope of an epoch
};

class EnvelopeBuilder {
  public:
    // check()s names that no bus would take: they come from our own configuration.
    EnvelopeBuilder(std::string agent_id, std::string lane,
                    std::shared_ptr<const crypto::SigningKey> key, WriterState state);
    // The bytes as they are stored and sent. Advances the state. bad_data "envelope_too_large",
    // "payload_missing" (empty payload) or "envelope_not_canonical" (idempotency key too long),
    // with the state unchanged.
    Result<std::string> build(const BuildRequest& request);
    // Gap marker for [first, last] whose last dropped envelope had `last_signature`; prev_signature
    // = signature of first-1. Does not advance the state (custody rule 6).
    struct Gap {
        SeqNo first, last;
        std::uint64_t envelopes = 0, events = 0;
        std::string reason;
        Bytes prev_signature, last_signature;
        UnixNanos from_ns = 0, to_ns = 0;
        std::string epoch_reason = {};  // where it is the first of an epoch
    };
    Result<std::string> build_gap(const Gap& gap, UnixNanos ts_ns) const;
    const WriterState& state() const { return state_; }
    // The next envelope is signed with it, in the same lane and epoch (custody rule 8).
    void use_key(std::shared_ptr<const crypto::SigningKey> key) { key_ = std::move(key); }

  private:
    struct Parts;
    Result<std::string> assemble(const Parts& parts, Signature& signature) const;

    std::string agent_id_, lane_;
    std::shared_ptr<const crypto::SigningKey> key_;
    WriterState state_;
};

// Bytes that build() adds around a payload, at most: what a batcher must leave free.
inline constexpr std::size_t envelope_overhead_bytes = 1024;

}  // namespace amoskys::wire
