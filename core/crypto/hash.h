// Hashes: SHA-256 and SHA-1 from BoringSSL (SHA instructions), BLAKE2b-256 from libsodium. Used by
// wire, wal, link and the key files. All functions are pure and may be called from any thread;
// Sha256 belongs to one thread.
#pragma once

#include <array>
#include <initializer_list>
#include <span>

#include "core/base/bytes.h"
#include "core/base/types.h"

namespace amoskys::crypto {

Digest sha256(ByteView data);
Digest sha256(std::initializer_list<ByteView> parts);  // of the concatenation
Digest blake2b_256(std::initializer_list<ByteView> parts);

// SHA-256 of what comes in pieces; no allocation.
class Sha256 {
  public:
    Sha256();
    void update(ByteView data);
    Digest finish();  // and starts anew

  private:
    // BoringSSL's SHA256_CTX, whose header stays out of here.
    alignas(16) unsigned char state_[128];
};

// SHA-1, for identifiers that are defined by it (Community ID); it protects nothing.
std::array<std::uint8_t, 20> sha1(ByteView data);

// Constant time; false for different lengths.
bool equal(ByteView a, ByteView b);

// From the kernel's generator; ends the process where there is none.
void random_bytes(std::span<std::uint8_t> out);

}  // namespace amoskys::crypto
