// The agents' signed heads that a bus keeps in its log's state, as `heads` and `verify` read them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/crypto/trust_map.h"
#include "core/module/module.h"
#include "proto/bus.pb.h"

namespace amoskys::modules::inspect {

// --trust FILE, else STATE/pki/trust.yaml, which may be missing (null); a named one may not.
Result<std::shared_ptr<const crypto::TrustMap>> load_trust(const module::ToolContext& context,
                                                           const std::string& option);

// "ok", "wrong", or "unknown_key" where the trust map has no such key.
std::string_view head_signature(const amoskys::bus::Head& head, const crypto::TrustMap* trust);

}  // namespace amoskys::modules::inspect
