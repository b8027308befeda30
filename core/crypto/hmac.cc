#include "core/crypto/hmac.h"

#include <openssl/aes.h>
#include <openssl/des.h>
#include <openssl/digest.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/base/check.h"

namespace amoskys::crypto {
namespace {

const EVP_MD* digest_of(HashName name) {
    switch (name) {
        case HashName::md5:
            return EVP_md5();
        case HashName::sha1:
            return EVP_sha1();
        case HashName::sha224:
            return EVP_sha224();
        case HashName::sha256:
            return EVP_sha256();
        case HashName::sha384:
            return EVP_sha384();
        case HashName::sha512:
            break;
    }
    return EVP_sha512();
}

class Digesting {
  public:
    explicit Digesting(HashName name) {
        EVP_MD_CTX_init(&context_);
        check(EVP_DigestInit_ex(&context_, digest_of(name), nullptr) == 1, "a hash starts");
    }
    ~Digesting() { EVP_MD_CTX_cleanup(&context_); }
    Digesting(const Digesting&) = delete;
    Digesting& operator=(const Digesting&) = delete;

    void update(ByteView data) { EVP_DigestUpdate(&context_, data.data(), data.size()); }
    Bytes finish() {
        std::array<std::uint8_t, EVP_MAX_MD_SIZE> out{};
        unsigned size = 0;
        EVP_DigestFinal_ex(&context_, out.data(), &size);
        return {out.begin(), out.begin() + size};
    }

  private:
    EVP_MD_CTX context_;
};

}  // namespace

std::size_t hash_size(HashName name) {
    return EVP_MD_size(digest_of(name));
}

Bytes hash(HashName name, std::initializer_list<ByteView> parts) {
    Digesting digest(name);
    for (const ByteView part : parts)
        digest.update(part);
    return digest.finish();
}

Bytes hmac(HashName name, ByteView key, ByteView data) {
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> out{};
    unsigned size = 0;
    check(HMAC(digest_of(name), key.data(), key.size(), data.data(), data.size(), out.data(),
               &size) != nullptr,
          "an HMAC is made");
    return {out.begin(), out.begin() + size};
}

Bytes password_key(HashName name, ByteView password) {
    constexpr std::size_t total = 1'048'576;
    check(!password.empty(), "a password is not empty");
    // Whole repetitions of the password in one block, so that the hash gets long pieces.
    Bytes block;
    while (block.size() < 4096)
        block.insert(block.end(), password.begin(), password.end());
    Digesting digest(name);
    for (std::size_t done = 0; done < total;) {
        const std::size_t take = std::min(block.size(), total - done);
        digest.update(ByteView(block).first(take));
        done += take;
    }
    explicit_bzero(block.data(), block.size());
    return digest.finish();
}

void aes_cfb(ByteView key, ByteView iv, std::span<std::uint8_t> in_place, bool encrypt) {
    check(iv.size() == AES_BLOCK_SIZE, "AES-CFB has an iv of 16 bytes");
    AES_KEY schedule;
    check(AES_set_encrypt_key(key.data(), static_cast<unsigned>(key.size() * 8), &schedule) == 0,
          "an AES key has 16, 24 or 32 bytes");
    std::array<std::uint8_t, AES_BLOCK_SIZE> feedback{};
    std::ranges::copy(iv, feedback.begin());
    int used = 0;
    AES_cfb128_encrypt(in_place.data(), in_place.data(), in_place.size(), &schedule,
                       feedback.data(), &used, encrypt ? AES_ENCRYPT : AES_DECRYPT);
    explicit_bzero(&schedule, sizeof schedule);
}

void des_cbc(ByteView key, ByteView iv, std::span<std::uint8_t> in_place, bool encrypt) {
    check(key.size() == 8 && iv.size() == 8 && in_place.size() % 8 == 0,
          "DES works on 8 bytes at a time");
    DES_cblock block, feedback;
    std::memcpy(block.bytes, key.data(), 8);
    std::memcpy(feedback.bytes, iv.data(), 8);
    DES_key_schedule schedule;
    DES_set_key(&block, &schedule);
    DES_ncbc_encrypt(in_place.data(), in_place.data(), in_place.size(), &schedule, &feedback,
                     encrypt ? DES_ENCRYPT : DES_DECRYPT);
    explicit_bzero(&schedule, sizeof schedule);
    explicit_bzero(&block, sizeof block);
}

}  // namespace amoskys::crypto
