// Ed25519 keys and signatures as PROTOCOL.md "Custody" rule 3 has them:
//   signature = Ed25519(key, tag | 0x00 | SHA-256(body))  algorithm "Ed25519-SHA256"
//   signature = Ed25519(key, body)                         algorithm "Ed25519" (the earlier system)
// A key has one use. A SigningKey's secret lies in guarded memory that is zeroed on destruction;
// once made it is immutable, so any thread may sign with it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/base/types.h"

namespace amoskys::crypto {

inline constexpr std::string_view envelope_tag = "amoskys envelope v1";
inline constexpr std::string_view receipt_tag = "amoskys receipt v1";
inline constexpr std::string_view head_tag = "amoskys head v1";
inline constexpr std::string_view trustmap_tag = "amoskys trustmap v1";
inline constexpr std::string_view backup_tag = "amoskys backup v1";

enum class Algorithm { ed25519_sha256, ed25519 };
std::string_view algorithm_name(Algorithm algorithm);  // "Ed25519-SHA256", "Ed25519"
Result<Algorithm> parse_algorithm(std::string_view name);

// First 16 hex digits of SHA-256(public key).
std::string key_id(const PublicKey& key);

class SigningKey {
  public:
    static SigningKey generate();
    static SigningKey from_seed(ByteView seed32);  // the caller zeroes its copy
    // PKCS#8 PEM or the earlier system's raw 32 bytes. Refused (permission) where group or others
    // can read the file.
    static Result<SigningKey> load(const std::filesystem::path& file);
    Result<> save_new(
        const std::filesystem::path& file) const;  // PKCS#8 PEM, 0600, never overwrites

    SigningKey(SigningKey&&) noexcept;
    SigningKey& operator=(SigningKey&&) noexcept;
    ~SigningKey();

    const PublicKey& public_key() const;
    const std::string& id() const;  // key_id(public_key())
    Signature sign_digest(std::string_view tag, const Digest& body_sha256) const;
    Signature sign_bytes(ByteView body) const;  // algorithm "Ed25519"

  private:
    SigningKey();
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// False for any signature that is not 64 bytes, has S >= L, or is not by `key` (which comes from
// parse_public_key or the trust map, where weak keys are refused).
bool verify_digest(const PublicKey& key, std::string_view tag, const Digest& body_sha256,
                   ByteView signature);
bool verify_bytes(const PublicKey& key, ByteView body, ByteView signature);

// SubjectPublicKeyInfo PEM, or raw 32 bytes; small-order and non-canonical keys are refused.
Result<PublicKey> load_public_key(const std::filesystem::path& file);
Result<PublicKey> parse_public_key(std::string_view pem_or_raw, std::string_view what);
std::string public_key_pem(const PublicKey& key);

}  // namespace amoskys::crypto
