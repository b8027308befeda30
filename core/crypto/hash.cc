#include "core/crypto/hash.h"

#include <openssl/mem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <sodium.h>

#include <new>

#include "core/base/check.h"

namespace amoskys::crypto {

static_assert(std::tuple_size_v<Digest> == SHA256_DIGEST_LENGTH);
static_assert(std::tuple_size_v<Digest> == crypto_generichash_BYTES);

Digest sha256(ByteView data) {
    Digest digest;
    SHA256(data.data(), data.size(), digest.data());
    return digest;
}

Digest sha256(std::initializer_list<ByteView> parts) {
    Sha256 hash;
    for (ByteView part : parts)
        hash.update(part);
    return hash.finish();
}

Sha256::Sha256() {
    static_assert(sizeof(SHA256_CTX) <= sizeof(state_) && alignof(SHA256_CTX) <= alignof(Sha256));
    SHA256_Init(new (state_) SHA256_CTX);
}

void Sha256::update(ByteView data) {
    SHA256_Update(std::launder(reinterpret_cast<SHA256_CTX*>(state_)), data.data(), data.size());
}

Digest Sha256::finish() {
    Digest digest;
    auto* context = std::launder(reinterpret_cast<SHA256_CTX*>(state_));
    SHA256_Final(digest.data(), context);
    SHA256_Init(context);
    return digest;
}

Digest blake2b_256(std::initializer_list<ByteView> parts) {
    crypto_generichash_state state;
    Digest digest;
    check(crypto_generichash_init(&state, nullptr, 0, digest.size()) == 0, "BLAKE2b starts");
    for (ByteView part : parts)
        crypto_generichash_update(&state, part.data(), part.size());
    crypto_generichash_final(&state, digest.data(), digest.size());
    return digest;
}

std::array<std::uint8_t, 20> sha1(ByteView data) {
    std::array<std::uint8_t, 20> digest;
    static_assert(std::tuple_size_v<decltype(digest)> == SHA_DIGEST_LENGTH);
    SHA1(data.data(), data.size(), digest.data());
    return digest;
}

bool equal(ByteView a, ByteView b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// BoringSSL ends the process where the kernel gives no randomness.
void random_bytes(std::span<std::uint8_t> out) {
    RAND_bytes(out.data(), out.size());
}

}  // namespace amoskys::crypto
