#include "modules/tools/pki/pki_verbs.h"

#include <fmt/format.h>

#include <limits>

#include "core/crypto/trust_map.h"

namespace amoskys::modules::pki {
namespace {

using crypto::CertificateInfo;
using crypto::PkiPaths;
using module::ToolContext;

constexpr Column file_columns[] = {{"file"}, {"private"}};
constexpr Noun file_noun{"key_file", file_columns};

constexpr Column certificate_columns[] = {
    {"name"},
    {"subject"},
    {"issuer", {}, false},
    {"not_before", {}, false},
    {"not_after"},
    {"days_left", {}, true, true},
    {"needs_renewal"},
    {"key_type"},
    {"serial", {}, false},
    {"sans", {}, false},
    {"fingerprint_sha256", {}, false},
    {"file", {}, false},
};
constexpr Noun certificate_noun{"certificate", certificate_columns};

constexpr Column agent_columns[] = {{"agent"},       {"algorithm"}, {"keys"},
                                    {"permissions"}, {"devices"},   {"rate_limit", {}, true, true},
                                    {"revoked"}};
constexpr Noun agent_noun{"trusted_agent", agent_columns};

PkiPaths paths_of(const ToolContext& context) {
    return {context.state_dir / "pki"};
}

template <class Options>
const Options& options_of(const ToolContext& context) {
    return *static_cast<const Options*>(context.config.get());
}

Result<> print_files(ToolContext& context, const std::vector<std::filesystem::path>& files) {
    if (context.quiet)
        return {};
    AMOSKYS_TRY(output, RowOutput::open(context.out, context.output, file_noun));
    for (const auto& file : files) {
        const bool open = file.extension() == ".crt" || file.extension() == ".pub";
        if (!output->row(Json{{"file", file.string()}, {"private", !open}}))
            return {};
    }
    return output->finish();
}

// The agent that "agent NAME" names; `what` has only that choice, so that others can come.
Result<std::string> named_agent(std::string_view what, const std::string& name) {
    if (what == "agent" && !name.empty())
        return name;
    return make_error(ErrorKind::usage, "missing_agent_name",
                      fmt::format("`{} {}`: expected `agent NAME`", what, name));
}

struct Found {
    std::string name;  // "ca", "bus", or the agent's
    bool is_agent = false;
    CertificateInfo info;
};

// The certificates of the folder; of the earlier system's folder as well.
Result<std::vector<Found>> certificates(const PkiPaths& paths) {
    std::vector<Found> found;
    auto ca = crypto::read_certificate(paths.ca_cert());
    if (!ca) {
        Error error = std::move(ca).error();
        error.hint = "amoskys pki init makes the keys and certificates";
        return error;
    }
    found.push_back({"ca", false, std::move(*ca)});
    AMOSKYS_TRY(bus, crypto::read_certificate(paths.bus_cert()));
    found.push_back({"bus", false, std::move(bus)});
    for (const std::string& name : crypto::pki_agents(paths)) {
        AMOSKYS_TRY(agent, crypto::read_certificate(paths.agent_cert(name)));
        found.push_back({name, true, std::move(agent)});
    }
    return found;
}

Json certificate_json(const Found& found, UnixNanos now_ns) {
    const CertificateInfo& info = found.info;
    constexpr std::uint64_t day_ns = 86'400'000'000'000;
    const bool expired = info.not_after_ns <= now_ns;
    const auto days = static_cast<std::int64_t>(
        (expired ? now_ns - info.not_after_ns : info.not_after_ns - now_ns) / day_ns);
    return {{"name", found.name},
            {"subject", info.subject_cn},
            {"issuer", info.issuer_cn},
            {"not_before", json::time(info.not_before_ns)},
            {"not_after", json::time(info.not_after_ns)},
            {"days_left", expired ? -days : days},
            {"needs_renewal", info.needs_renewal_at(now_ns)},
            {"key_type", info.key_type},
            {"serial", info.serial_hex},
            {"sans", info.sans},
            {"fingerprint_sha256", info.fingerprint_sha256},
            {"file", info.file}};
}

Result<> print_certificates(ToolContext& context, const std::vector<Found>& found) {
    const UnixNanos now_ns = system_clock().now_ns();
    AMOSKYS_TRY(output, RowOutput::open(context.out, context.output, certificate_noun));
    for (const Found& certificate : found)
        if (!output->row(certificate_json(certificate, now_ns)))
            return {};
    return output->finish();
}

Json permissions_json(const crypto::Permissions& permissions) {
    Json names = Json::array();
    const std::pair<const char*, bool> all[] = {
        {"publish", permissions.publish},
        {"subscribe", permissions.subscribe},
        {"register", permissions.register_devices},
        {"admin", permissions.admin},
        {"publish_unsequenced", permissions.publish_unsequenced},
    };
    for (const auto& [name, has] : all)
        if (has)
            names.push_back(name);
    return names;
}

Json agent_json(const crypto::TrustedAgent& agent) {
    Json keys = Json::array();
    for (const crypto::TrustedKey& key : agent.keys) {
        Json one{{"key_id", key.id}, {"status", crypto::key_status_name(key.status)}};
        if (key.not_before_ns != 0)
            one["not_before"] = json::time(key.not_before_ns);
        if (key.not_after_ns != std::numeric_limits<UnixNanos>::max())
            one["not_after"] = json::time(key.not_after_ns);
        keys.push_back(std::move(one));
    }
    const auto algorithm =
        agent.keys.empty() ? crypto::Algorithm::ed25519_sha256 : agent.keys.front().algorithm;
    return {{"agent", agent.agent_id},  {"algorithm", crypto::algorithm_name(algorithm)},
            {"keys", std::move(keys)},  {"permissions", permissions_json(agent.permissions)},
            {"devices", agent.devices}, {"rate_limit", agent.rate_limit_events},
            {"revoked", agent.revoked}};
}

Result<> renew_one(const PkiPaths& paths, const Found& found, Duration lifetime) {
    const auto renewed = found.is_agent
                             ? crypto::pki_renew_agent(paths, found.name, lifetime, system_clock())
                             : crypto::pki_renew_bus(paths, lifetime, system_clock());
    if (!renewed)
        return renewed.error();
    return {};
}

}  // namespace

Result<> init(ToolContext& context) {
    const auto& options = options_of<InitOptions>(context);
    const crypto::InitRequest request{options.san, options.agent, options.lifetime};
    AMOSKYS_TRY(files, crypto::pki_init(paths_of(context), request, system_clock()));
    return print_files(context, files);
}

Result<> issue(ToolContext& context) {
    const auto& options = options_of<IssueOptions>(context);
    AMOSKYS_TRY(name, named_agent(options.what, options.name));
    AMOSKYS_TRY(files,
                crypto::pki_issue_agent(paths_of(context), name, options.lifetime, system_clock()));
    return print_files(context, files);
}

Result<> renew(ToolContext& context) {
    const auto& options = options_of<RenewOptions>(context);
    const PkiPaths paths = paths_of(context);
    if (options.what == "agent")
        AMOSKYS_TRY_VOID(named_agent(options.what, options.name));
    AMOSKYS_TRY(all, certificates(paths));
    const UnixNanos now_ns = system_clock().now_ns();
    std::vector<Found> renewed;
    for (Found& found : all) {
        // The CA is not renewed: all that trust it would have to learn the new one.
        if (!found.is_agent && found.name == "ca")
            continue;
        const bool wanted = options.what == "all"   ? found.info.needs_renewal_at(now_ns)
                            : options.what == "bus" ? !found.is_agent
                                                    : found.is_agent && found.name == options.name;
        if (!wanted)
            continue;
        AMOSKYS_TRY_VOID(renew_one(paths, found, options.lifetime));
        AMOSKYS_TRY(info, crypto::read_certificate(found.info.file));
        found.info = std::move(info);
        renewed.push_back(std::move(found));
    }
    if (renewed.empty() && options.what == "agent")
        return make_error(ErrorKind::no_input, "no_such_agent",
                          fmt::format("no agent {} in {}", options.name, paths.root.string()),
                          "amoskys pki list shows the agents");
    return context.quiet ? Result<>() : print_certificates(context, renewed);
}

Result<> revoke(ToolContext& context) {
    const auto& options = options_of<RevokeOptions>(context);
    const PkiPaths paths = paths_of(context);
    AMOSKYS_TRY(name, named_agent(options.what, options.name));
    AMOSKYS_TRY_VOID(crypto::pki_revoke_agent(paths, name));
    if (context.quiet)
        return {};
    AMOSKYS_TRY(map, crypto::TrustMap::load(paths.trust_map()));
    const crypto::TrustedAgent* agent = map->find(name);
    return agent == nullptr
               ? make_error(ErrorKind::failed, "trust_map_changed",
                            fmt::format("agent {} vanished from the trust map meanwhile", name))
               : write_object(context.out, context.output, "trusted_agent", agent_json(*agent));
}

Result<> list(ToolContext& context) {
    AMOSKYS_TRY(found, certificates(paths_of(context)));
    return print_certificates(context, found);
}

Result<> needs_renewal(ToolContext& context) {
    AMOSKYS_TRY(all, certificates(paths_of(context)));
    const UnixNanos now_ns = system_clock().now_ns();
    std::vector<Found> due;
    for (Found& found : all)
        if (found.info.needs_renewal_at(now_ns))
            due.push_back(std::move(found));
    if (due.empty())
        return make_error(ErrorKind::failed, "no_renewal_needed", "no certificate needs renewal");
    return context.quiet ? Result<>() : print_certificates(context, due);
}

Result<> trust(ToolContext& context) {
    AMOSKYS_TRY(map, crypto::TrustMap::load(paths_of(context).trust_map()));
    AMOSKYS_TRY(output, RowOutput::open(context.out, context.output, agent_noun));
    for (const auto& [name, agent] : map->agents())
        if (!output->row(agent_json(agent)))
            return {};
    return output->finish();
}

}  // namespace amoskys::modules::pki
