#include "core/crypto/signing.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/curve25519.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "core/base/check.h"
#include "core/base/file.h"
#include "core/crypto/hash.h"
#include "core/crypto/key_file.h"

namespace amoskys::crypto {
namespace {

constexpr std::size_t seed_bytes = 32;
constexpr std::size_t max_tag_bytes = 64;

// tag | 0x00 | digest, built on the stack.
class TaggedMessage {
  public:
    TaggedMessage(std::string_view tag, const Digest& digest) {
        check(tag.size() <= max_tag_bytes, "a signature tag has at most 64 bytes");
        auto end = std::copy(tag.begin(), tag.end(), bytes_.begin());
        *end++ = 0;
        end = std::copy(digest.begin(), digest.end(), end);
        size_ = static_cast<std::size_t>(end - bytes_.begin());
    }
    ByteView view() const { return {bytes_.data(), size_}; }

  private:
    std::array<std::uint8_t, max_tag_bytes + 1 + 32> bytes_;
    std::size_t size_ = 0;
};

bssl::UniquePtr<BIO> reading(std::string_view text) {
    return bssl::UniquePtr<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Keys with a passphrase are refused: nobody is there to type it.
int no_passphrase(char*, int, int, void*) {
    return -1;
}

Error not_a_key(std::string_view what, std::string_view allowed, std::string_view found) {
    return make_error(ErrorKind::bad_data, "key_format",
                      fmt::format("{} is not {} ({})", what, allowed, found));
}

}  // namespace

std::string_view algorithm_name(Algorithm algorithm) {
    return algorithm == Algorithm::ed25519 ? "Ed25519" : "Ed25519-SHA256";
}

Result<Algorithm> parse_algorithm(std::string_view name) {
    if (name == algorithm_name(Algorithm::ed25519_sha256))
        return Algorithm::ed25519_sha256;
    if (name == algorithm_name(Algorithm::ed25519))
        return Algorithm::ed25519;
    return make_error(
        ErrorKind::bad_data, "unknown_algorithm",
        fmt::format("unknown signing algorithm `{}`; allowed: Ed25519-SHA256, Ed25519",
                    name.substr(0, 64)));
}

std::string key_id(const PublicKey& key) {
    const Digest digest = sha256(key);
    return to_hex(ByteView(digest).first(8));
}

// The 64 bytes of BoringSSL's private form (seed | public key) lie in guarded, locked memory.
struct SigningKey::Impl {
    Impl() {
        check(sodium_init() >= 0, "libsodium starts");
        secret = static_cast<std::uint8_t*>(sodium_malloc(ED25519_PRIVATE_KEY_LEN));
        check(secret != nullptr, "memory for a private key");
    }
    ~Impl() { sodium_free(secret); }  // zeroes
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    std::uint8_t* secret = nullptr;
    PublicKey public_key{};
    std::string id;
};

SigningKey::SigningKey() : impl_(std::make_unique<Impl>()) {}
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

SigningKey SigningKey::generate() {
    SigningKey key;
    ED25519_keypair(key.impl_->public_key.data(), key.impl_->secret);
    key.impl_->id = key_id(key.impl_->public_key);
    return key;
}

SigningKey SigningKey::from_seed(ByteView seed32) {
    check(seed32.size() == seed_bytes, "an Ed25519 seed has 32 bytes");
    SigningKey key;
    ED25519_keypair_from_seed(key.impl_->public_key.data(), key.impl_->secret, seed32.data());
    key.impl_->id = key_id(key.impl_->public_key);
    return key;
}

Result<SigningKey> SigningKey::load(const std::filesystem::path& file) {
    AMOSKYS_TRY(content, read_private_file(file));
    const std::string_view text = content.view();
    if (text.size() == seed_bytes)
        return from_seed(as_bytes(text));
    const std::string what = "signing key " + file.string();
    constexpr std::string_view allowed = "an Ed25519 key in PKCS#8 PEM, or 32 raw bytes";
    auto bio = reading(text);
    bssl::UniquePtr<EVP_PKEY> parsed(
        PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    if (!parsed)
        return not_a_key(what, allowed, take_openssl_errors());
    std::array<std::uint8_t, seed_bytes> seed;
    std::size_t size = seed.size();
    if (EVP_PKEY_id(parsed.get()) != EVP_PKEY_ED25519 ||
        EVP_PKEY_get_raw_private_key(parsed.get(), seed.data(), &size) != 1)
        return not_a_key(what, allowed, "another kind of key");
    SigningKey key = from_seed(seed);
    sodium_memzero(seed.data(), seed.size());
    return key;
}

Result<> SigningKey::save_new(const std::filesystem::path& file) const {
    bssl::UniquePtr<EVP_PKEY> key(
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, impl_->secret, seed_bytes));
    bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
    check(
        key && bio &&
            PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) &&
            BIO_mem_contents(bio.get(), &data, &size),
        "a private key can be written to memory");
    const SecretText pem(to_string({data, size}));
    return write_new_file(file, pem.view(), 0600);
}

const PublicKey& SigningKey::public_key() const {
    return impl_->public_key;
}
const std::string& SigningKey::id() const {
    return impl_->id;
}

Signature SigningKey::sign_digest(std::string_view tag, const Digest& body_sha256) const {
    return sign_bytes(TaggedMessage(tag, body_sha256).view());
}

Signature SigningKey::sign_bytes(ByteView body) const {
    Signature signature;
    check(ED25519_sign(signature.data(), body.data(), body.size(), impl_->secret) == 1,
          "signing succeeds");
    return signature;
}

bool verify_digest(const PublicKey& key, std::string_view tag, const Digest& body_sha256,
                   ByteView signature) {
    return verify_bytes(key, TaggedMessage(tag, body_sha256).view(), signature);
}

bool verify_bytes(const PublicKey& key, ByteView body, ByteView signature) {
    if (signature.size() != std::tuple_size_v<Signature>)
        return false;
    return ED25519_verify(body.data(), body.size(), signature.data(), key.data()) == 1;
}

Result<PublicKey> load_public_key(const std::filesystem::path& file) {
    AMOSKYS_TRY(content, read_file(file, max_key_file_bytes));
    return parse_public_key(content, "public key " + file.string());
}

Result<PublicKey> parse_public_key(std::string_view pem_or_raw, std::string_view what) {
    PublicKey key{};
    if (pem_or_raw.size() == key.size()) {
        std::memcpy(key.data(), pem_or_raw.data(), key.size());
    } else {
        constexpr std::string_view allowed =
            "an Ed25519 key in PEM (BEGIN PUBLIC KEY), or 32 raw bytes";
        auto bio = reading(pem_or_raw);
        bssl::UniquePtr<EVP_PKEY> parsed(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
        if (!parsed)
            return not_a_key(what, allowed, take_openssl_errors());
        std::size_t size = key.size();
        if (EVP_PKEY_id(parsed.get()) != EVP_PKEY_ED25519 ||
            EVP_PKEY_get_raw_public_key(parsed.get(), key.data(), &size) != 1)
            return not_a_key(what, allowed, "another kind of key");
    }
    // Canonical, on the curve, and in the prime-order group: with a key of small order anyone could
    // make signatures that verify.
    check(sodium_init() >= 0, "libsodium starts");
    if (crypto_core_ed25519_is_valid_point(key.data()) != 1)
        return make_error(
            ErrorKind::bad_data, "weak_public_key",
            fmt::format("{} is not a sound Ed25519 key: not canonical, of small order, "
                        "or no point of the curve",
                        what));
    return key;
}

std::string public_key_pem(const PublicKey& key) {
    bssl::UniquePtr<EVP_PKEY> parsed(
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(), key.size()));
    bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
    check(parsed && bio && PEM_write_bio_PUBKEY(bio.get(), parsed.get()) &&
              BIO_mem_contents(bio.get(), &data, &size),
          "a public key can be written to memory");
    return to_string({data, size});
}

}  // namespace amoskys::crypto
