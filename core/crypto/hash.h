// Hashes: SHA-256 from BoringSSL (SHA instructions), BLAKE2b-256 from libsodium.
#pragma once

#include <initializer_list>

#include "core/base/bytes.h"
#include "core/base/types.h"

namespace amoskys::crypto {

Digest sha256(ByteView data);
Digest sha256(std::initializer_list<ByteView> parts);  // of the concatenation
Digest blake2b_256(std::initializer_list<ByteView> parts);

// Constant time; false for different lengths.
bool equal(ByteView a, ByteView b);

void random_bytes(std::span<std::uint8_t> out);

}  // namespace amoskys::crypto
