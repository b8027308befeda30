// The key folder of a state directory, and the certificates in it (X.509 by BoringSSL, ECDSA
// P-256).
//   pki/ca.{crt,key}  bus.{crt,key}  agents/NAME.{crt,key,ed25519,pub}  log.{key,pub}  trust.yaml
// Private files are 0600; nothing is overwritten.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"

namespace amoskys::crypto {

struct PkiPaths {
    std::filesystem::path root;  // S/pki, or the earlier system's certificate folder (IS_CERT_DIR)
    std::filesystem::path ca_cert() const;
    std::filesystem::path ca_key() const;
    std::filesystem::path bus_cert()
        const;  // bus.crt, or the earlier server.crt where only that is there
    std::filesystem::path bus_key() const;
    std::filesystem::path agent_cert(
        std::string_view name) const;  // agents/NAME.crt, or earlier agent.crt
    std::filesystem::path agent_key(std::string_view name) const;
    std::filesystem::path agent_signing_key(std::string_view name) const;
    std::filesystem::path agent_public_key(std::string_view name) const;
    std::filesystem::path log_key() const;
    std::filesystem::path log_public_key() const;
    std::filesystem::path trust_map() const;
};

struct InitRequest {
    std::vector<std::string>
        extra_sans;  // DNS names or addresses, besides localhost, 127.0.0.1, ::1, host name
    std::string
        local_agent;  // CN of this host's own agents; "" = valid_agent_id form of the host name
    Duration lifetime = std::chrono::hours(24 * 365);
};

// Makes all of it in a temporary folder beside and renames it into place: all or nothing.
// cannot_create "pki_exists" where the folder has a CA already. Returns the files made.
Result<std::vector<std::filesystem::path>> pki_init(const PkiPaths& paths,
                                                    const InitRequest& request, const Clock& clock);
Result<std::vector<std::filesystem::path>> pki_issue_agent(const PkiPaths& paths,
                                                           std::string_view name, Duration lifetime,
                                                           const Clock& clock);

// The agent names that have a complete identity in the folder, sorted.
std::vector<std::string> pki_agents(const PkiPaths& paths);

struct CertificateInfo {
    std::string file, subject_cn, issuer_cn, serial_hex, key_type;  // "ECDSA P-256", "RSA 2048"
    UnixNanos not_before_ns = 0, not_after_ns = 0;
    std::vector<std::string> sans;
    std::string fingerprint_sha256;
};
Result<CertificateInfo> read_certificate(const std::filesystem::path& file);

// permission error where group or others can read it.
Result<> require_private(const std::filesystem::path& file);

}  // namespace amoskys::crypto
