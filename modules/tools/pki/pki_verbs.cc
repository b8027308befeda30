#include "modules/tools/pki/pki_verbs.h"

#include <fmt/format.h>

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

constexpr Column step_columns[] = {{"action"}, {"file"}, {"detail"}, {"done"}};
constexpr Noun step_noun{"rotation_step", step_columns};

template <class Options>
const Options& options_of(const ToolContext& context) {
    return *static_cast<const Options*>(context.config.get());
}

// The agent that "agent NAME" names; `what` has only that choice, so that others can come.
Result<std::string> named_agent(std::string_view what, const std::string& name) {
    if (what == "agent" && !name.empty())
        return name;
    return make_error(ErrorKind::usage, "missing_agent_name",
                      fmt::format("`{} {}`: expected `agent NAME`", what, name));
}

struct Found {
    std::string name;  // "ca", "ca-retiring", "bus", or the agent's
    bool is_agent = false;
    CertificateInfo info;
    bool by_old_ca = false;
    bool due_at(UnixNanos now_ns) const {
        return name != "ca-retiring" && (by_old_ca || info.needs_renewal_at(now_ns));
    }
};

// The certificates of the folder; of the earlier system's folder as well.
Result<std::vector<Found>> certificates(const PkiPaths& paths) {
    std::vector<Found> found;
    auto authorities = crypto::read_certificates(paths.ca_cert());
    if (!authorities) {
        Error error = std::move(authorities).error();
        error.hint = "amoskys pki init makes the keys and certificates";
        return error;
    }
    for (CertificateInfo& ca : *authorities)
        found.push_back({found.empty() ? "ca" : "ca-retiring", false, std::move(ca)});
    const std::string current = found.front().info.subject_cn;
    const auto add = [&](std::string name, bool is_agent, CertificateInfo info) {
        const bool by_old_ca = info.issuer_cn != current;
        found.push_back({std::move(name), is_agent, std::move(info), by_old_ca});
    };
    AMOSKYS_TRY(bus, crypto::read_certificate(paths.bus_cert()));
    add("bus", false, std::move(bus));
    for (const std::string& name : crypto::pki_agents(paths)) {
        AMOSKYS_TRY(agent, crypto::read_certificate(paths.agent_cert(name)));
        add(name, true, std::move(agent));
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
            {"needs_renewal", found.due_at(now_ns)},
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

Result<> renew_one(const PkiPaths& paths, const Found& found, Duration lifetime) {
    const auto renewed = found.is_agent
                             ? crypto::pki_renew_agent(paths, found.name, lifetime, system_clock())
                             : crypto::pki_renew_bus(paths, lifetime, system_clock());
    if (!renewed)
        return renewed.error();
    return {};
}

}  // namespace

PkiPaths paths_of(const ToolContext& context) {
    return {context.state_dir / "pki"};
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
        // All that trust a CA have to learn the new one: `rotate ca`.
        if (found.name.starts_with("ca") && !found.is_agent)
            continue;
        const bool wanted = options.what == "all"   ? found.due_at(now_ns)
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

Result<> rotate(ToolContext& context) {
    const auto& options = options_of<RotateOptions>(context);
    const PkiPaths paths = paths_of(context);
    const bool agent = options.what == "agent";
    if (agent)
        AMOSKYS_TRY_VOID(named_agent(options.what, options.name));
    else if (!options.name.empty())
        return make_error(ErrorKind::usage, "usage",
                          fmt::format("`rotate {}` takes no name", options.what));
    const crypto::RotateRequest request{options.overlap, options.lifetime, options.finish,
                                        options.dry_run};
    AMOSKYS_TRY(steps,
                agent ? crypto::pki_rotate_agent(paths, options.name, request, system_clock())
                : options.what == "bus" ? crypto::pki_rotate_bus(paths, request, system_clock())
                                        : crypto::pki_rotate_ca(paths, request, system_clock()));
    if (context.quiet)
        return {};
    AMOSKYS_TRY(output, RowOutput::open(context.out, context.output, step_noun));
    for (const crypto::RotationStep& step : steps)
        if (!output->row({{"action", step.action},
                          {"file", step.file.string()},
                          {"detail", step.detail},
                          {"done", !options.dry_run && step.action != "none"}}))
            return {};
    return output->finish();
}

Result<> revoke(ToolContext& context) {
    const auto& options = options_of<RevokeOptions>(context);
    const PkiPaths paths = paths_of(context);
    AMOSKYS_TRY(name, named_agent(options.what, options.name));
    const auto one_key = [&](const std::string& yaml,
                             const crypto::TrustMap& map) -> Result<std::string> {
        const crypto::TrustedAgent* agent = map.find(name);
        if (agent == nullptr)
            return make_error(ErrorKind::no_input, "no_such_agent",
                              fmt::format("the trust map has no agent {}", name));
        crypto::TrustedAgent changed = *agent;
        for (crypto::TrustedKey& key : changed.keys) {
            if (key.id != options.key)
                continue;
            key.status = crypto::KeyStatus::revoked;
            return crypto::replace_trusted_agent(yaml, changed);
        }
        return make_error(ErrorKind::no_input, "no_such_key",
                          fmt::format("agent {} has no key {}", name, options.key),
                          "amoskys pki trust show " + name);
    };
    AMOSKYS_TRY_VOID(options.key.empty() ? crypto::pki_revoke_agent(paths, name)
                                         : crypto::pki_edit_trust_map(paths, one_key));
    return context.quiet ? Result<>() : print_agents(context, name);
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
        if (found.due_at(now_ns))
            due.push_back(std::move(found));
    if (due.empty())
        return make_error(ErrorKind::failed, "no_renewal_needed", "no certificate needs renewal");
    return context.quiet ? Result<>() : print_certificates(context, due);
}

}  // namespace amoskys::modules::pki
