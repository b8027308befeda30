// The key folder of a state directory, and the certificates in it (X.509 by BoringSSL, ECDSA
// P-256).
//   pki/ca.{crt,key}  bus.{crt,key}  agents/NAME.{crt,key,ed25519,pub}  log.{key,pub}  trust.yaml
// Folders are 0700, private files 0600, certificates and public keys 0644. Nothing is overwritten
// but certificates by renewal. Used by the pki tool, `up`, the bus and the agents. Functions that
// change the folder take a lock on it; a second one meanwhile fails with unavailable "pki_busy".
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/crypto/key_file.h"

namespace amoskys::crypto {

class TrustMap;

struct PkiPaths {
    std::filesystem::path root;  // S/pki, or the earlier system's certificate folder (IS_CERT_DIR)
    std::filesystem::path ca_cert() const;
    std::filesystem::path ca_key() const;
    std::filesystem::path bus_cert() const;  // or the earlier server.crt where only that is there
    std::filesystem::path bus_key() const;
    std::filesystem::path agent_cert(std::string_view name) const;  // or the earlier agent.crt
    std::filesystem::path agent_key(std::string_view name) const;
    std::filesystem::path agent_signing_key(std::string_view name) const;
    std::filesystem::path agent_public_key(std::string_view name) const;
    std::filesystem::path log_key() const;
    std::filesystem::path log_public_key() const;
    std::filesystem::path trust_map() const;
};

inline constexpr Duration default_certificate_lifetime = std::chrono::hours(24 * 365);

struct InitRequest {
    // DNS names or addresses, besides localhost, 127.0.0.1, ::1 and the host name.
    std::vector<std::string> extra_sans;
    std::string local_agent;  // CN of this host's own agents; "" = local_agent_name()
    Duration lifetime = default_certificate_lifetime;
};

// The host name in the form of an agent_id: other characters become "-".
std::string local_agent_name();

// Makes all of it in a temporary folder beside and renames it into place: all or nothing.
// cannot_create "pki_exists" where the folder has a CA already, "pki_not_empty" where it has
// anything else; usage "bad_san", "bad_agent_name", "bad_lifetime". Returns the files made.
Result<std::vector<std::filesystem::path>> pki_init(const PkiPaths& paths,
                                                    const InitRequest& request, const Clock& clock);
// Certificate, key, signing key and public key of a new agent, and its line in the trust map.
Result<std::vector<std::filesystem::path>> pki_issue_agent(const PkiPaths& paths,
                                                           std::string_view name, Duration lifetime,
                                                           const Clock& clock);
// A new certificate with the same key, name and SANs. Returns its file.
Result<std::filesystem::path> pki_renew_bus(const PkiPaths& paths, Duration lifetime,
                                            const Clock& clock);
Result<std::filesystem::path> pki_renew_agent(const PkiPaths& paths, std::string_view name,
                                              Duration lifetime, const Clock& clock);
// revoked: true in the trust map; its key stays there, so that what it signed can still be checked.
Result<> pki_revoke_agent(const PkiPaths& paths, std::string_view name);

// Any other edit of the trust map, under the folder's lock: gets the text and what it means,
// returns the new text, which is parsed before it takes the old one's place.
using TrustMapEdit =
    std::function<Result<std::string>(const std::string& yaml, const TrustMap& before)>;
Result<> pki_edit_trust_map(const PkiPaths& paths, const TrustMapEdit& edit);

// ---- rotation (pki_rotate.cc) -----------------------------------------------------------------
// Replaces keys with an overlap in which the old and the new one are good. Each step is atomic, a
// run that was interrupted is finished by the next, and a second run during the overlap changes
// nothing. `finish` ends the overlap. With dry_run nothing is written and the steps are what would
// be done.
struct RotateRequest {
    Duration overlap = std::chrono::hours(24 * 30);    // signing keys: the old one is good so long
    Duration lifetime = default_certificate_lifetime;  // of a new bus certificate
    bool finish = false, dry_run = false;
};
struct RotationStep {
    std::string action;  // "make", "keep", "replace", "delete", "none"
    std::filesystem::path file;
    std::string detail;
};
using RotationSteps = std::vector<RotationStep>;
// The signing key, custody rule 8: agents/NAME.ed25519 and .pub become the new key's; the trust map
// has both, the old one as retiring until now + overlap.
Result<RotationSteps> pki_rotate_agent(const PkiPaths& paths, std::string_view name,
                                       const RotateRequest& request, const Clock& clock);
// A new key and certificate of the bus with the old one's names.
Result<RotationSteps> pki_rotate_bus(const PkiPaths& paths, const RotateRequest& request,
                                     const Clock& clock);
// ca.crt holds the new CA, which issues from now on, and the old one, which is still trusted.
// finish: failed "certificates_of_old_ca" while a certificate in the folder is of the old one.
Result<RotationSteps> pki_rotate_ca(const PkiPaths& paths, const RotateRequest& request,
                                    const Clock& clock);

// The agent names that have a complete identity in the folder, sorted.
std::vector<std::string> pki_agents(const PkiPaths& paths);

struct CertificateInfo {
    std::string file, subject_cn, issuer_cn, serial_hex, key_type;  // "ECDSA P-256", "RSA 2048"
    UnixNanos not_before_ns = 0, not_after_ns = 0;
    std::vector<std::string> sans;
    std::string fingerprint_sha256;

    // From two thirds of its life on.
    bool needs_renewal_at(UnixNanos now_ns) const {
        return now_ns >= not_before_ns + (not_after_ns - not_before_ns) / 3 * 2;
    }
};
Result<CertificateInfo> read_certificate(const std::filesystem::path& file);
// All of a bundle, in its order (ca.crt while the CA is rotated).
Result<std::vector<CertificateInfo>> read_certificates(const std::filesystem::path& file);

}  // namespace amoskys::crypto
