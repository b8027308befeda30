// The verbs of `amoskys pki`, and their options. Used by the module table and by the tests.
#pragma once

#include <filesystem>
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
struct RotateOptions {
    std::string what;
    std::string name;
    Duration overlap = crypto::RotateRequest{}.overlap;
    Duration lifetime = crypto::default_certificate_lifetime;
    bool finish = false;
    bool dry_run = false;
};
struct RevokeOptions {
    std::string what;
    std::string name;
    std::string key;
};
struct TrustOptions {
    std::string action = "show";
    std::string subject;  // an agent; AGENT/LANE; a folder
    std::string public_key;
    std::string algorithm = "Ed25519-SHA256";
    std::vector<std::string> permissions;
    std::vector<std::string> devices;
    double rate_limit = 0;
    bool inline_keys = false;
};
struct NoOptions {};

Result<> init(module::ToolContext& context);
Result<> issue(module::ToolContext& context);
Result<> renew(module::ToolContext& context);  // "all": those past two thirds of their life
Result<> rotate(module::ToolContext& context);
Result<> revoke(module::ToolContext& context);
Result<> list(module::ToolContext& context);
Result<> needs_renewal(module::ToolContext& context);  // ok: one does; failed: none
Result<> trust(module::ToolContext& context);          // trust_verb.cc

// Rows of the noun trusted_agent: all, or one by its name.
Result<> print_agents(module::ToolContext& context, const std::string& only);
Result<> print_files(module::ToolContext& context, const std::vector<std::filesystem::path>& files);
crypto::PkiPaths paths_of(const module::ToolContext& context);

}  // namespace amoskys::modules::pki
