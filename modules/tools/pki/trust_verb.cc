// `pki trust`: the trust map as people see it, and changes of it that a running bus takes over by
// itself.
#include <fmt/format.h>

#include <limits>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/base/types.h"
#include "core/crypto/inline_key.h"
#include "core/crypto/trust_map.h"
#include "modules/tools/pki/pki_verbs.h"

namespace amoskys::modules::pki {
namespace {

using crypto::PkiPaths;
using crypto::TrustedAgent;
using crypto::TrustMap;
using module::ToolContext;

constexpr Column agent_columns[] = {{"agent"},   {"algorithm"},
                                    {"keys"},    {"permissions"},
                                    {"devices"}, {"rate_limit", {}, true, true},
                                    {"revoked"}, {"accepted_resets", {}, false}};
constexpr Noun agent_noun{"trusted_agent", agent_columns};

Json agent_json(const TrustedAgent& agent, UnixNanos now_ns) {
    Json keys = Json::array();
    for (const crypto::TrustedKey& key : agent.keys) {
        Json one{{"key_id", key.id}, {"status", crypto::key_state_at(agent, key, now_ns)}};
        if (key.not_before_ns != 0)
            one["not_before"] = json::time(key.not_before_ns);
        if (key.not_after_ns != std::numeric_limits<UnixNanos>::max())
            one["not_after"] = json::time(key.not_after_ns);
        keys.push_back(std::move(one));
    }
    Json resets = Json::object();
    for (const auto& [lane, time_ns] : agent.accepted_resets)
        resets[lane] = json::time(time_ns);
    return {{"agent", agent.agent_id},
            {"algorithm", crypto::algorithm_name(agent.keys.front().algorithm)},
            {"keys", std::move(keys)},
            {"permissions", crypto::permission_names(agent.permissions)},
            {"devices", agent.devices},
            {"rate_limit", agent.rate_limit_events},
            {"revoked", agent.revoked},
            {"accepted_resets", std::move(resets)}};
}

Error no_agent(const PkiPaths& paths, std::string_view name) {
    return make_error(
        ErrorKind::no_input, "no_such_agent",
        fmt::format("{} has no agent {}", paths.trust_map().string(), printable(name)),
        "amoskys pki trust shows the agents");
}

Result<> add(ToolContext& context, const TrustOptions& options) {
    const PkiPaths paths = paths_of(context);
    if (!valid_agent_id(options.subject))
        return make_error(ErrorKind::usage, "bad_agent_name",
                          fmt::format("agent name `{}`; allowed are 1 to 64 of A-Z a-z 0-9 . _ -",
                                      printable(options.subject)));
    if (options.public_key.empty())
        return make_error(ErrorKind::usage, "usage", "missing --public-key FILE",
                          "`amoskys pki issue agent NAME` makes keys and adds them");
    AMOSKYS_TRY(key, crypto::load_public_key(options.public_key));
    AMOSKYS_TRY(algorithm, crypto::parse_algorithm(options.algorithm));
    TrustedAgent agent;
    agent.agent_id = options.subject;
    agent.devices = options.devices;
    agent.rate_limit_events = options.rate_limit;
    if (!options.permissions.empty())
        agent.permissions = {.publish = false, .register_devices = false};
    for (const std::string& name : options.permissions)
        if (!crypto::set_permission(agent.permissions, name))
            return make_error(ErrorKind::usage, "usage",
                              fmt::format("--permissions: {}; allowed: publish, subscribe, "
                                          "register, admin, publish_unsequenced",
                                          printable(name)));
    crypto::TrustedKey trusted;
    trusted.path = fmt::format("agents/{}.{}.pub", options.subject, crypto::key_id(key));
    trusted.algorithm = algorithm;
    agent.keys = {trusted};
    const fs::path file = paths.root / trusted.path;
    bool made = false;
    const auto added = crypto::pki_edit_trust_map(
        paths, [&](const std::string& yaml, const TrustMap& map) -> Result<std::string> {
            if (map.find(options.subject) != nullptr)
                return make_error(
                    ErrorKind::cannot_create, "agent_exists",
                    fmt::format("the trust map has an agent {} already", options.subject));
            AMOSKYS_TRY(text, crypto::add_trusted_agent(yaml, options.subject, trusted.path));
            AMOSKYS_TRY(edited, crypto::replace_trusted_agent(text, agent));
            AMOSKYS_TRY_VOID(make_directories(file.parent_path(), 0700));
            AMOSKYS_TRY_VOID(write_new_file(file, crypto::public_key_pem(key), 0644));
            made = true;
            return edited;
        });
    std::error_code ignored;
    if (!added && made)
        fs::remove(file, ignored);
    if (!added)
        return added;
    return context.quiet ? Result<>() : print_agents(context, options.subject);
}

Result<> remove(ToolContext& context, const TrustOptions& options) {
    const PkiPaths paths = paths_of(context);
    AMOSKYS_TRY_VOID(crypto::pki_edit_trust_map(
        paths, [&](const std::string& yaml, const TrustMap& map) -> Result<std::string> {
            if (map.find(options.subject) == nullptr)
                return no_agent(paths, options.subject);
            return crypto::remove_trusted_agent(yaml, options.subject);
        }));
    return context.quiet ? Result<>() : print_agents(context, {});
}

Result<> accept_reset(ToolContext& context, const TrustOptions& options) {
    const auto slash = options.subject.find('/');
    const std::string agent_id = options.subject.substr(0, slash);
    const std::string lane =
        slash == std::string::npos ? std::string() : options.subject.substr(slash + 1);
    if (!valid_agent_id(agent_id) || !valid_lane(lane))
        return make_error(ErrorKind::usage, "usage",
                          fmt::format("`{}`: AGENT/LANE is wanted", printable(options.subject)),
                          "amoskys pki trust accept-reset web-2/snmp");
    const PkiPaths paths = paths_of(context);
    AMOSKYS_TRY_VOID(crypto::pki_edit_trust_map(
        paths, [&](const std::string& yaml, const TrustMap& map) -> Result<std::string> {
            const TrustedAgent* agent = map.find(agent_id);
            if (agent == nullptr)
                return no_agent(paths, agent_id);
            TrustedAgent changed = *agent;
            changed.accepted_resets[lane] = system_clock().now_ns();
            return crypto::replace_trusted_agent(yaml, changed);
        }));
    return context.quiet ? Result<>() : print_agents(context, agent_id);
}

// What somebody else needs to check this machine's log, and nothing private.
Result<> export_public(ToolContext& context, const TrustOptions& options) {
    const PkiPaths paths = paths_of(context);
    const fs::path folder = options.subject;
    std::error_code ignored;
    if (fs::exists(folder, ignored) && !fs::is_empty(folder, ignored))
        return make_error(ErrorKind::cannot_create, "folder_not_empty",
                          fmt::format("{} is there and not an empty folder; nothing was changed",
                                      folder.string()));
    constexpr std::uint64_t limit_bytes = 4U << 20U;
    AMOSKYS_TRY(map, TrustMap::load(paths.trust_map()));
    AMOSKYS_TRY(log_key, crypto::load_public_key(paths.log_public_key()));
    AMOSKYS_TRY(ca, read_file(paths.ca_cert(), limit_bytes));
    AMOSKYS_TRY_VOID(make_directories(options.inline_keys ? folder : folder / "agents", 0755));
    std::vector<fs::path> made;
    const auto write = [&](const fs::path& name, std::string_view text) -> Result<> {
        made.push_back(folder / name);
        return write_new_file(folder / name, text, 0644);
    };
    std::string yaml = "agents:\n";
    for (const auto& [name, trusted] : map->agents()) {
        TrustedAgent agent = trusted;
        for (crypto::TrustedKey& key : agent.keys) {
            if (options.inline_keys) {
                key.path = std::string(crypto::inline_key) + to_base64(key.key);
                continue;
            }
            key.path = fmt::format("agents/{}.{}.pub", name, key.id);
            AMOSKYS_TRY_VOID(write(key.path, crypto::public_key_pem(key.key)));
        }
        AMOSKYS_TRY(text, crypto::add_trusted_agent(yaml, name, agent.keys.front().path));
        AMOSKYS_TRY(full, crypto::replace_trusted_agent(text, agent));
        yaml = std::move(full);
    }
    AMOSKYS_TRY_VOID(write("trust.yaml", yaml));
    AMOSKYS_TRY_VOID(write("log.pub", crypto::public_key_pem(log_key)));
    AMOSKYS_TRY_VOID(write("ca.crt", ca));
    return print_files(context, made);
}

}  // namespace

Result<> print_agents(ToolContext& context, const std::string& only) {
    const PkiPaths paths = paths_of(context);
    AMOSKYS_TRY(map, TrustMap::load(paths.trust_map()));
    if (!only.empty() && map->find(only) == nullptr)
        return no_agent(paths, only);
    AMOSKYS_TRY(output, RowOutput::open(context.out, context.output, agent_noun));
    const UnixNanos now_ns = system_clock().now_ns();
    for (const auto& [name, agent] : map->agents())
        if ((only.empty() || name == only) && !output->row(agent_json(agent, now_ns)))
            return {};
    return output->finish();
}

Result<> trust(ToolContext& context) {
    const auto& options = *static_cast<const TrustOptions*>(context.config.get());
    if (options.action == "show")
        return print_agents(context, options.subject);
    if (options.subject.empty())
        return make_error(ErrorKind::usage, "usage",
                          fmt::format("`pki trust {}`: {} is wanted", options.action,
                                      options.action == "export"         ? "a folder"
                                      : options.action == "accept-reset" ? "AGENT/LANE"
                                                                         : "an agent"));
    if (options.action == "add")
        return add(context, options);
    if (options.action == "remove")
        return remove(context, options);
    return options.action == "export" ? export_public(context, options)
                                      : accept_reset(context, options);
}

}  // namespace amoskys::modules::pki
