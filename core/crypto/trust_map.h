// Who may do what: agent_id -> signing keys, pinned algorithm, permissions, devices, rate limit.
// Used by the bus for every envelope and by `inspect verify`. Immutable once loaded, so any thread
// may read it; on reload a new one takes its place as a whole.
//
//   agents:
//     snmp-1: agents/snmp-1.pub        # short form: publish and register, any device
//     flow-1:
//       public_key_path: flow-1.pub    # or  public_keys: [{path, not_before, not_after, status}]
//       algorithm: Ed25519-SHA256      # the default; or Ed25519, as the earlier system signs
//       permissions: [publish, subscribe, register, admin, publish_unsequenced]
//       devices: ["10.0.*"]            # globs; absent = any
//       rate_limit: 5000               # events per second, burst of 10 s; absent or 0 = unlimited
//       revoked: false
//       accepted_resets: {snmp: 2026-11-21T00:00:00Z}   # `pki trust accept-reset`: lane, when
//
// Paths are relative to the file's folder. A key belongs to one agent. YAML limits:
// core/config/yaml_tree.h.
#pragma once

#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
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

std::vector<std::string_view> permission_names(const Permissions& permissions);
bool set_permission(Permissions& permissions, std::string_view name);  // false: unknown name

enum class KeyStatus { active, retiring, revoked };
std::string_view key_status_name(KeyStatus status);

struct TrustedKey {
    std::string id;
    PublicKey key{};
    Algorithm algorithm = Algorithm::ed25519_sha256;
    KeyStatus status = KeyStatus::active;  // retiring: still good, but a newer one is there
    UnixNanos not_before_ns = 0;
    UnixNanos not_after_ns = std::numeric_limits<UnixNanos>::max();  // the last good nanosecond
    std::string path = {};                                           // as it is written

    // May sign what is published now. Records of the log are checked against revoked and old keys
    // too.
    bool usable_at(UnixNanos now_ns) const {
        return status != KeyStatus::revoked && not_before_ns <= now_ns && now_ns <= not_after_ns;
    }
};

struct TrustedAgent {
    std::string agent_id;
    std::vector<TrustedKey> keys;  // 1 to 32
    Permissions permissions;
    std::vector<std::string> devices;  // globs; empty = any
    double rate_limit_events = 0;      // per second, burst of 10 s; 0 = unlimited
    bool revoked = false;
    // Custody rule 7: lanes that take unlinked epochs again, with the time at which somebody said
    // so. The bus honours each once.
    std::map<std::string, UnixNanos, std::less<>> accepted_resets;
};

// What a key is good for now: "active", "retiring", "not_yet_valid", "expired" or "revoked" (also
// where its agent is).
std::string_view key_state_at(const TrustedAgent& agent, const TrustedKey& key, UnixNanos now_ns);

using KeyLoader = std::function<Result<PublicKey>(const std::filesystem::path& file)>;

class TrustMap {
  public:
    // config "trust_map_invalid": the message is all errors, a line each, with file:line:column.
    static Result<std::shared_ptr<const TrustMap>> load(const std::filesystem::path& file);
    static Result<std::shared_ptr<const TrustMap>> parse(std::string_view yaml,
                                                         const std::filesystem::path& folder,
                                                         std::string_view file_name);
    // With another source of the keys than files.
    static Result<std::shared_ptr<const TrustMap>> parse(std::string_view yaml,
                                                         std::string_view file_name,
                                                         const KeyLoader& load_key);

    const TrustedAgent* find(std::string_view agent_id) const;
    // The key that an envelope names by key_id; with an empty id the agent's only key. Never a
    // revoked one. The caller asks usable_at() as well.
    const TrustedKey* find_key(const TrustedAgent& agent, std::string_view key_id) const;
    bool may_send_device(const TrustedAgent& agent, std::string_view device_id) const;
    const std::map<std::string, TrustedAgent, std::less<>>& agents() const { return agents_; }

  private:
    std::map<std::string, TrustedAgent, std::less<>> agents_;
};

// The text of a trust map with one thing changed and all else (comments, order, blanks) as it was.
// The result is parsed again; text that cannot be edited so is refused with the line to write by
// hand.
Result<std::string> add_trusted_agent(std::string_view yaml, std::string_view agent_id,
                                      std::string_view public_key_path);
Result<std::string> revoke_trusted_agent(std::string_view yaml, std::string_view agent_id);
Result<std::string> remove_trusted_agent(std::string_view yaml, std::string_view agent_id);
// The agent's entry written anew in the long form, keys by their `path`. Whole-line comments in it
// move in front of it, others in it are lost.
Result<std::string> replace_trusted_agent(std::string_view yaml, const TrustedAgent& agent);

}  // namespace amoskys::crypto
