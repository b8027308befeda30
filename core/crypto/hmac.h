// Keyed hashes and ciphers that protocols of devices still ask for (SNMPv3: RFC 3414, 3826, 7860).
// Not for anything of our own: signatures are Ed25519, transport is TLS 1.3. Pure; any thread.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "core/base/bytes.h"

namespace amoskys::crypto {

enum class HashName : std::uint8_t { md5, sha1, sha224, sha256, sha384, sha512 };

std::size_t hash_size(HashName name);
Bytes hash(HashName name, std::initializer_list<ByteView> parts);  // of the concatenation
Bytes hmac(HashName name, ByteView key, ByteView data);

// RFC 3414 section A.2: the hash of the password repeated to 1 MiB. `password` is not empty.
Bytes password_key(HashName name, ByteView password);

// AES in CFB mode with 128-bit feedback; key of 16, 24 or 32 bytes, iv of 16. Any length.
void aes_cfb(ByteView key, ByteView iv, std::span<std::uint8_t> in_place, bool encrypt);
// DES in CBC mode; key and iv of 8 bytes, a length that is a multiple of 8.
void des_cbc(ByteView key, ByteView iv, std::span<std::uint8_t> in_place, bool encrypt);

}  // namespace amoskys::crypto
