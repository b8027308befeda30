// Who may do what: agent_id -> signing keys, pinned algorithm, permissions, devices, rate limit.
// YAML in both forms:   agents: {CN: path-to-pem}
//                       agents: {CN: {public_key_path, algorithm, permissions, devices,
//                       rate_limit}}
// Paths are relative to the file's folder. Immutable once loaded; swapped as a whole on reload.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/types.h"
#include "core/crypto/signing.h"

namespace amoskys::crypto {

struct Permissions {
    bool publish = true;
    bool subscribe = false;
    bool register_devices = true;
    bool admin = false;
    bool publish_unsequenced = false;  // envelopes without sequence (custody rule 5)
};

struct TrustedKey {
    std::string id;
    PublicKey key{};
    Algorithm algorithm = Algorithm::ed25519_sha256;
};

struct TrustedAgent {
    std::string agent_id;
    std::vector<TrustedKey> keys;
    Permissions permissions;
    std::vector<std::string> devices;  // globs; empty = any
    double rate_limit_events = 0;      // per second, burst of 10 s; 0 = unlimited
    bool revoked = false;
};

class TrustMap {
  public:
    static Result<std::shared_ptr<const TrustMap>> load(const std::filesystem::path& file);
    static Result<std::shared_ptr<const TrustMap>> parse(std::string_view yaml,
                                                         const std::filesystem::path& folder,
                                                         std::string_view file_name);
    const TrustedAgent* find(std::string_view agent_id) const;
    // The key that an envelope names by key_id; with an empty id the agent's only key.
    const TrustedKey* find_key(const TrustedAgent& agent, std::string_view key_id) const;
    bool may_send_device(const TrustedAgent& agent, std::string_view device_id) const;
    const std::map<std::string, TrustedAgent, std::less<>>& agents() const { return agents_; }

  private:
    std::map<std::string, TrustedAgent, std::less<>> agents_;
};

}  // namespace amoskys::crypto
