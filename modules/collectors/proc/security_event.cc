// The way of an observation into a record, and what keeps it from it.
#include "core/base/text.h"
#include "modules/collectors/proc/security.h"

namespace amoskys::proc {
namespace {

constexpr std::size_t attribute_bytes = 1024;

bool known_rule(std::string_view name) {
    for (std::size_t i = 0; i < rule_count; ++i)
        if (info_of(static_cast<Rule>(i)).name == name)
            return true;
    return name == "*";
}

std::string bounded(const std::string& text) {
    std::string out;
    append_safe_text(text, attribute_bytes, out);
    return out;
}

}  // namespace

Result<> check_allow(std::string_view entry) {
    const auto space = entry.find(' ');
    const auto rule = entry.substr(0, space);
    if (known_rule(rule) && space != std::string_view::npos && space + 1 < entry.size())
        return {};
    std::vector<std::string_view> names;
    for (std::size_t i = 0; i < rule_count; ++i)
        names.push_back(info_of(static_cast<Rule>(i)).name);
    const auto near = nearest(rule, names);
    return make_error(ErrorKind::config, "config_bad_allow",
                      "'" + printable(entry) + "': want \"RULE GLOB\", RULE a rule's name or *",
                      near.empty() ? "" : "did you mean " + std::string(near) + "?");
}

Result<AllowList> AllowList::parse(std::span<const std::string> entries) {
    AllowList out;
    for (const auto& entry : entries) {
        AMOSKYS_TRY_VOID(check_allow(entry));
        const auto space = entry.find(' ');
        out.entries_.push_back({entry.substr(0, space), entry.substr(space + 1)});
    }
    return out;
}

bool AllowList::allows(const Observation& observation, const messaging::ProcessEvent& event) const {
    const auto rule = info_of(observation.rule).name;
    for (const auto& entry : entries_)
        if ((entry.rule == "*" || entry.rule == rule) &&
            (glob_match(entry.glob, event.exe()) || glob_match(entry.glob, observation.evidence)))
            return true;
    return false;
}

void add_security_event(const Observation& observation, const Subject& subject,
                        const std::string& asset, messaging::DeviceTelemetry& record) {
    const auto& rule = info_of(observation.rule);
    const auto& process = subject.event;
    auto& event = *record.add_events();
    event.set_event_type("SECURITY");
    event.set_severity(std::string(rule.severity));
    event.set_event_timestamp_ns(process.event_time_ns());
    event.set_source_component("proc");
    event.set_event_id(std::string(rule.name) + ":" + process.boot_id() + ":" +
                       std::to_string(process.pid()) + ":" + std::to_string(process.start_ticks()));
    auto& security = *event.mutable_security_event();
    security.set_event_category("PROCESS");
    security.set_event_action(std::string(rule.name));
    security.set_event_outcome("UNKNOWN");
    security.set_user_id(
        std::to_string(process.has_loginuid() ? process.loginuid() : process.uid()));
    security.set_user_name(process.has_loginuid() ? process.login_user() : process.user());
    if (subject.evidence.stdio)
        security.set_source_ip(subject.evidence.stdio->remote_address());
    security.set_target_resource(process.exe());
    security.set_target_type("PROCESS");
    security.set_affected_asset(asset);
    security.set_risk_score(rule.risk);
    security.add_mitre_techniques(std::string(rule.technique));
    security.set_requires_investigation(rule.severity != "WARN");
    security.set_analyst_notes(std::string(rule.what) + ": " + bounded(observation.evidence));
    if (!process.exe_sha256().empty()) {
        auto& hash = *security.add_threat_indicators();
        hash.set_indicator_type("HASH");
        hash.set_indicator_value(process.exe_sha256());
        hash.set_source(std::string(rule.name));
        hash.set_first_seen_ns(process.event_time_ns());
    }
    auto& evidence = *event.mutable_attributes();
    const auto put = [&](const char* name, std::string text) {
        if (!text.empty())
            evidence[name] = std::move(text);
    };
    put("pid", std::to_string(process.pid()));
    put("ppid", std::to_string(process.ppid()));
    put("start_ticks", std::to_string(process.start_ticks()));
    put("boot_id", process.boot_id());
    put("name", process.name());
    put("exe", bounded(process.exe()));
    put("cmdline", bounded(process.cmdline()));
    put("cwd", bounded(process.cwd()));
    put("tty", process.tty());
    put("container_id", process.container_id());
    put("parent_exe", process.parent_exe());
    put("parent_cmdline", process.parent_cmdline());
    put("evidence", bounded(observation.evidence));
    std::string ancestors;
    for (const auto& ancestor : process.ancestors())
        ancestors += (ancestors.empty() ? "" : " < ") + ancestor;
    put("ancestors", std::move(ancestors));
}

}  // namespace amoskys::proc
