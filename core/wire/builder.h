// The publisher's side of custody: wraps a payload into the next signed envelope of a lane.
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
    Bytes last_signature;  // empty at the start of a lane, or the head given by WELCOME for a new
                           // epoch
};

struct BuildRequest {
    PayloadKind kind = PayloadKind::batch;
    ByteView
        payload;  // serialized DeviceTelemetry, TelemetryBatch, FlowEvent, ProcessEvent, GapMarker
    std::uint64_t ts_ns = 0;
    std::string idempotency_key;  // optional
    Priority priority = Priority::normal;
};

class EnvelopeBuilder {
  public:
    EnvelopeBuilder(std::string agent_id, std::string lane,
                    std::shared_ptr<const crypto::SigningKey> key, WriterState state);
    // The bytes as they are stored and sent. Advances the state. bad_data "envelope_too_large"
    // (state unchanged) where the result would pass max_envelope_bytes.
    Result<std::string> build(const BuildRequest& request);
    // Gap marker for [first, last] whose last dropped envelope had `last_sig`; prev_sig = signature
    // of first-1. Does not advance the state (custody rule 6).
    struct Gap {
        SeqNo first, last;
        std::uint64_t envelopes = 0, events = 0;
        std::string reason;
        Bytes prev_signature, last_signature;
        std::uint64_t from_ns = 0, to_ns = 0;
    };
    Result<std::string> build_gap(const Gap& gap, std::uint64_t ts_ns) const;
    const WriterState& state() const { return state_; }

  private:
    std::string agent_id_, lane_;
    std::shared_ptr<const crypto::SigningKey> key_;
    WriterState state_;
};

// Bytes that build() adds around a payload, at most: what a batcher must leave free.
inline constexpr std::size_t envelope_overhead_bytes = 1024;

}  // namespace amoskys::wire
