// What a new trust map changes, for audit records (custody rule 13). Used by the Server's reload.
#pragma once

#include <string>
#include <vector>

#include "core/crypto/trust_map.h"

namespace amoskys::link {

struct TrustChange {
    std::string agent_id;
    std::string action;         // "added", "removed", "revoked", "changed"
    std::string before, after;  // "" where the agent is not in that map
};
// In the order of agent ids.
std::vector<TrustChange> trust_changes(const crypto::TrustMap& before,
                                       const crypto::TrustMap& after);

// "keys 0a1b2c3d4e5f6071 active; permissions publish register; devices any; 5000 events/s"
std::string describe_agent(const crypto::TrustedAgent& agent);

}  // namespace amoskys::link
