// Community ID version 1 of a flow: https://github.com/corelight/community-id-spec. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "modules/collectors/flow/address.h"

namespace amoskys::flow {

// "1:" and the base64 of a SHA-1 over seed, addresses, protocol and ports in the key's order.
std::string community_id(const FlowKey& key, std::uint16_t seed);

}  // namespace amoskys::flow
