// Making X.509 certificates (BoringSSL) for pki.cc: ECDSA P-256 with SHA-256, 128-bit random
// serials. BoringSSL's types stay inside core/crypto.
#pragma once

#include <openssl/base.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/crypto/key_file.h"

namespace amoskys::crypto {

enum class CertificateUse { authority, server, client };

struct CertificateRequest {
    CertificateUse use = CertificateUse::client;
    std::string common_name;
    std::vector<std::string> sans;  // DNS names and addresses, already checked
    UnixNanos now_ns = 0;
    Duration lifetime{};
};

struct Issuer {
    X509* certificate = nullptr;
    EVP_PKEY* key = nullptr;
};

bool valid_dns_name(std::string_view text);
bool valid_address(std::string_view text);  // IPv4 or IPv6

bssl::UniquePtr<EVP_PKEY> make_p256_key();
SecretText private_key_pem(EVP_PKEY* key);

// Valid from five minutes before now (clocks differ); never longer than the issuer.
Result<bssl::UniquePtr<X509>> make_certificate(const CertificateRequest& request, EVP_PKEY* key,
                                               const Issuer& issuer);
std::string certificate_pem(X509* certificate);

Result<bssl::UniquePtr<X509>> load_certificate(const std::filesystem::path& file);
// Every certificate of the file, at least one.
Result<std::vector<bssl::UniquePtr<X509>>> load_certificates(const std::filesystem::path& file);
Result<bssl::UniquePtr<EVP_PKEY>> load_private_key(const std::filesystem::path& file);

UnixNanos not_before_ns(const X509* certificate);
UnixNanos not_after_ns(const X509* certificate);
std::vector<std::string> subject_alt_names(const X509* certificate);
std::string common_name(const X509* certificate);

}  // namespace amoskys::crypto
