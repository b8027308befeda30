// What the functions that change a key folder share (pki.cc, pki_rotate.cc): its lock, its CA, the
// names of an agent's files, the guarded edit of the trust map. Inside core/crypto only.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "core/base/file.h"
#include "core/crypto/certificate.h"
#include "core/crypto/pki.h"

namespace amoskys::crypto {

inline constexpr Duration authority_lifetime = std::chrono::hours(24 * 3650);
inline constexpr std::size_t max_trust_map_bytes = 4U << 20U;

bool present(const std::filesystem::path& file);
Result<> check_lifetime(Duration lifetime);
Result<> check_agent_name(std::string_view name);
// Held until the descriptor is closed.
Result<FileDescriptor> lock_folder(const std::filesystem::path& folder);

struct Authority {
    bssl::UniquePtr<X509> certificate;
    bssl::UniquePtr<EVP_PKEY> key;
    Issuer issuer() const { return {certificate.get(), key.get()}; }
};
// The first certificate of ca.crt with its key. failed "ca_key_mismatch" where a rotation was
// interrupted.
Result<Authority> load_authority(const PkiPaths& paths);
Result<Authority> make_authority(bssl::UniquePtr<EVP_PKEY> key, UnixNanos now_ns);

struct AgentFiles {
    AgentFiles(const std::filesystem::path& root, std::string_view name);
    std::filesystem::path cert, key, signing_key, public_key;
    std::vector<std::filesystem::path> all() const { return {cert, key, signing_key, public_key}; }
};

// Under the lock: the edited text is parsed as a trust map before it takes the old one's place.
Result<> edit_trust_map(const PkiPaths& paths, const TrustMapEdit& edit);

}  // namespace amoskys::crypto
