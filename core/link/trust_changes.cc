#include "core/link/trust_changes.h"

#include <set>

#include "core/base/text.h"

namespace amoskys::link {
namespace {

constexpr std::size_t listed_devices_bytes = 200;

std::string describe_permissions(const crypto::Permissions& may) {
    std::string out;
    const std::pair<bool, std::string_view> all[] = {
        {may.publish, " publish"},
        {may.subscribe, " subscribe"},
        {may.register_devices, " register"},
        {may.admin, " admin"},
        {may.publish_unsequenced, " publish_unsequenced"}};
    for (const auto& [granted, name] : all)
        if (granted)
            out += name;
    return out.empty() ? " none" : out;
}

}  // namespace

std::string describe_agent(const crypto::TrustedAgent& agent) {
    std::string out = agent.revoked ? "revoked; keys" : "keys";
    for (const auto& key : agent.keys) {
        out += " " + key.id + " " + std::string(crypto::key_status_name(key.status));
        if (key.algorithm == crypto::Algorithm::ed25519)
            out += " Ed25519";
        if (key.not_before_ns != 0)
            out += " from " + format_time(key.not_before_ns);
        if (key.not_after_ns != std::numeric_limits<UnixNanos>::max())
            out += " until " + format_time(key.not_after_ns);
    }
    out += "; permissions" + describe_permissions(agent.permissions) + "; devices";
    std::string devices;
    for (const auto& glob : agent.devices)
        devices += " " + glob;
    if (devices.size() > listed_devices_bytes)
        devices = devices.substr(0, listed_devices_bytes) + "... (" +
                  std::to_string(agent.devices.size()) + ")";
    out += devices.empty() ? " any" : devices;
    if (agent.rate_limit_events > 0)
        out += "; " + std::to_string(static_cast<std::uint64_t>(agent.rate_limit_events)) +
               " events/s";
    return out;
}

std::vector<TrustChange> trust_changes(const crypto::TrustMap& before,
                                       const crypto::TrustMap& after) {
    std::set<std::string_view> names;
    for (const auto* map : {&before, &after})
        for (const auto& [name, agent] : map->agents())
            names.insert(name);
    std::vector<TrustChange> out;
    for (const auto name : names) {
        const auto* old = before.find(name);
        const auto* fresh = after.find(name);
        const auto was = old != nullptr ? describe_agent(*old) : std::string();
        const auto is = fresh != nullptr ? describe_agent(*fresh) : std::string();
        if (was == is)
            continue;
        std::string action = "changed";
        if (old == nullptr)
            action = "added";
        else if (fresh == nullptr)
            action = "removed";
        else if (fresh->revoked && !old->revoked)
            action = "revoked";
        out.push_back({std::string(name), action, was, is});
    }
    return out;
}

}  // namespace amoskys::link
