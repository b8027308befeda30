// A signed statement of how long a log is and what its tree's root is: a C2SP signed note with a
// tlog-checkpoint body, so that other tools and witnesses read it too. Written by the bus, checked
// by `inspect`. Sans-io, pure; any thread.
//
//   <origin> LF <size, decimal> LF <root, base64> LF time <RFC 3339> LF LF
//   — <origin> <base64 of: key hash, 4 bytes | Ed25519 signature of the text> LF
//
// Key hash = first 4 bytes of SHA-256(origin | 0x0a | 0x01 | public key). The name of the key is
// the log's origin. Further signatures (witnesses') and further lines of the body are allowed.
#pragma once

#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/base/types.h"
#include "core/crypto/signing.h"

namespace amoskys::wal {

inline constexpr std::size_t checkpoint_bytes_max = 64 << 10;

struct Checkpoint {
    std::string origin;  // not empty, without white space and '+': "amoskys/<host>/<8 hex>"
    std::uint64_t size = 0;
    Digest root{};
    UnixNanos time_ns = 0;  // 0 = the note has no line of time
    bool operator==(const Checkpoint&) const = default;
};

std::string sign_checkpoint(const Checkpoint& checkpoint, const crypto::SigningKey& key);
// bad_data "checkpoint_form", or "checkpoint_signature" where none of its signatures is `key`'s.
Result<Checkpoint> open_checkpoint(std::string_view note, const PublicKey& key);

}  // namespace amoskys::wal
