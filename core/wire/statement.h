// Signed statements about a lane that travel beside its envelopes (proto/bus.proto): RECEIPT, the
// bus's promise that its log held a head, and HEAD, the agent's word on how far its lane goes.
// Used by core/link, spools and inspect. Pure; thread-safe.
//
//   sig = Ed25519(key, tag | 0x00 | SHA-256(message without sig)), tag "amoskys receipt v1" or
//   "amoskys head v1"
//
// The bus keeps the latest head of each lane in its log's state "head/<agent>/<lane>":
//   received_ns 8 (big-endian) | serialized Head
#pragma once

#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/types.h"
#include "core/crypto/signing.h"
#include "proto/bus.pb.h"

namespace amoskys::wire {

void sign(amoskys::bus::Receipt& receipt, const crypto::SigningKey& log_key);
void sign(amoskys::bus::Head& head, const crypto::SigningKey& agent_key);
bool signature_fits(const amoskys::bus::Receipt& receipt, const PublicKey& log_key);
bool signature_fits(const amoskys::bus::Head& head, const PublicKey& agent_key);

inline constexpr std::string_view kept_head_prefix = "head/";
std::string kept_head_key(const LaneKey& lane);
struct KeptHead {
    UnixNanos received_ns = 0;
    amoskys::bus::Head head;
};
std::string encode_kept_head(const KeptHead& kept);
Result<KeptHead> decode_kept_head(std::string_view bytes);  // bad_data "state_damaged"

}  // namespace amoskys::wire
