// The verbs of `amoskys pki`, and their options. Used by the module table and by the tests.
#pragma once

#include <string>
#include <vector>

#include "core/crypto/pki.h"
#include "core/module/module.h"

namespace amoskys::modules::pki {

struct InitOptions {
    std::vector<std::string> san;
    std::string agent;
    Duration lifetime = crypto::default_certificate_lifetime;
};
struct IssueOptions {
    std::string what;
    std::string name;
    Duration lifetime = crypto::default_certificate_lifetime;
};
struct RenewOptions {
    std::string what = "all";
    std::string name;
    Duration lifetime = crypto::default_certificate_lifetime;
};
struct RevokeOptions {
    std::string what;
    std::string name;
};
struct NoOptions {};

Result<> init(module::ToolContext& context);
Result<> issue(module::ToolContext& context);
Result<> renew(module::ToolContext& context);  // "all": those past two thirds of their life
Result<> revoke(module::ToolContext& context);
Result<> list(module::ToolContext& context);
Result<> needs_renewal(module::ToolContext& context);  // ok: one does; failed: none
Result<> trust(module::ToolContext& context);

}  // namespace amoskys::modules::pki
