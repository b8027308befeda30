#include "core/module/host_config.h"

#include <unistd.h>

#include <array>
#include <cstdlib>

#include "core/base/text.h"
#include "core/io/runtime.h"
#include "core/module/module.h"

namespace amoskys::module {

namespace {

using config::option;

Result<> check_collector(std::string_view name) {
    const ModuleInfo* info = find_module(name);
    if (info != nullptr && info->kind == Kind::collector)
        return {};
    std::vector<std::string_view> names;
    for (const ModuleInfo* each : all_modules())
        if (each->kind == Kind::collector)
            names.push_back(each->name);
    const auto near = nearest(name, names);
    return make_error(
        ErrorKind::config, "unknown_collector",
        "'" + printable(name) + "' is no collector of this executable",
        near.empty() ? "amoskys modules lists them" : "did you mean " + std::string(near) + "?");
}

constexpr std::array general_table{
    option<&GeneralConfig::state_dir>(
        "state_dir", "",
        "folder for keys, spools, the log, features and models (empty: found as in --help)"),
};

constexpr std::array log_table{
    option<&LogConfig::level>("level", "", "least severe line that is written", {},
                              {.reloadable = true, .choices = "debug|info|warning|error|off"}),
    option<&LogConfig::format>("format", "", "form of the lines on stderr", {},
                               {.choices = "text|json"}),
};

constexpr std::array sandbox_table{
    option<&SandboxConfig::mode>(
        "mode", "",
        "what bus, agents and up give up before they serve: auto takes what the kernel offers, "
        "require fails where a layer is missing, off gives up nothing",
        {}, {.choices = "auto|require|off"}),
    option<&SandboxConfig::user>("user", "",
                                 "user to become, where they are started by root (empty: stay); "
                                 "must own the state directory"),
};

constexpr std::array agent_table{
    option<&AgentConfig::collectors>("collectors", "",
                                     "what `agent run` and `up` start: names, comma-separated", {},
                                     {.check = &check_collector}),
    option<&AgentConfig::bus>("bus", "", "buses to publish to, tried in order: HOST:PORT,HOST:PORT",
                              {}, {.check = &io::check_endpoint}),
    option<&AgentConfig::id>(
        "id", "",
        "name of the identity to use (empty: the only one in the key folder, or this host's)"),
    option<&AgentConfig::pki_dir>(
        "pki_dir", "", "folder with certificates and keys (empty: STATE/pki)", {}, {.path = true}),
    option<&AgentConfig::spool_dir>("spool_dir", "", "folder of the spools (empty: STATE/spool)"),
    option<&AgentConfig::send_rate>("send_rate", "events/s", "most that is sent (0: no limit)"),
    option<&AgentConfig::spool_max_bytes>("spool_max_bytes", "bytes", "largest spool of one lane",
                                          {.min = 1048576}),
    option<&AgentConfig::spool_min_free>("spool_min_free", "bytes",
                                         "disk space that the spool leaves free"),
    option<&AgentConfig::spool_when_full>("spool_when_full", "",
                                          "at the limit: drop the oldest envelopes with a signed "
                                          "gap marker, or stop collecting (auto: stop for "
                                          "replay, drop_oldest for the rest)",
                                          {}, {.choices = "auto|drop_oldest|stop"}),
    option<&AgentConfig::spool_sync>(
        "spool_sync", "",
        "what is synced to the disk at once: each envelope, or those of 100 ms or 1 MiB together "
        "(auto: grouped for proc and flow, each for the rest)",
        {}, {.choices = "auto|each|grouped"}),
    option<&AgentConfig::log_keys>("log_keys", "",
                                   "files with the log keys that buses may show, their pki/log.pub "
                                   "(empty: the key that a bus shows first is pinned)"),
    option<&AgentConfig::compression>(
        "compression", "",
        "zstd for what is sent: auto where it saves an eighth and the bus is another host, on "
        "wherever it saves anything, off",
        {}, {.choices = "auto|on|off"}),
    option<&AgentConfig::retry_max>(
        "retry_max", "",
        "with several buses: so many refusals in a row (RETRY, OVERLOAD) before the next is tried",
        {.min = 1, .max = 1000}),
    option<&AgentConfig::retry_timeout>(
        "retry_timeout", "",
        "silence of the bus before it gets a PING, and as long again before it is given up",
        {.min = 0.1, .max = 3600}),
    option<&AgentConfig::max_envelope_bytes>("max_envelope_bytes", "bytes",
                                             "largest envelope that is made",
                                             {.min = 4096, .max = 131072}),
    option<&AgentConfig::head_interval>(
        "head_interval", "",
        "how often the bus is told, signed, how far the lane goes, also when idle (0: never)",
        {.max = 86400}),
    option<&AgentConfig::bus_return>(
        "bus_return", "", "on another bus than the first: how often the first is tried (0: never)",
        {.max = 86400}),
    option<&AgentConfig::batch_max_age>("batch_max_age", "",
                                        "longest wait before a part-filled batch is signed",
                                        {.min = 0.01, .max = 3600}),
    option<&AgentConfig::batch_max_bytes>("batch_max_bytes", "bytes",
                                          "payload of one envelope, at most",
                                          {.min = 1024, .max = 126976}),
    option<&AgentConfig::ack_timeout>("ack_timeout", "", "with --once: longest wait for the bus",
                                      {.min = 0.1, .max = 3600}),
    option<&AgentConfig::connect_timeout>(
        "connect_timeout", "", "longest wait for one bus to answer", {.min = 0.1, .max = 300}),
    option<&AgentConfig::http_listen>("http_listen", "",
                                      "address for /livez /readyz /metrics (empty: none)", {},
                                      {.check = &io::check_endpoint}),
    option<&AgentConfig::thresholds>(
        "thresholds", "",
        "limits on metrics of any collector that make alarms: NAME: SUBJECT [where LABEL=GLOB] "
        "OP WARNING[/CRITICAL] [clear VALUE] [for SAMPLES]; SUBJECT: a metric, rate(COUNTER), "
        "percent(METRIC of WHOLE), used(FREE of WHOLE)",
        {}, {.repeat = true}),
};

}  // namespace

std::vector<config::Section> host_sections() {
    return {{"", general_table, config::make_config<GeneralConfig>},
            {"log", log_table, config::make_config<LogConfig>},
            {"sandbox", sandbox_table, config::make_config<SandboxConfig>},
            {"agent", agent_table, config::make_config<AgentConfig>}};
}

std::span<const config::Option> agent_options() {
    return agent_table;
}

Result<std::filesystem::path> resolve_state_dir(const std::string& configured) {
    const auto environment = [](const char* name) -> std::string {
        const char* value = std::getenv(name);
        return value == nullptr ? "" : value;
    };
    if (!configured.empty())
        return std::filesystem::path(configured);
    if (const std::string systemd = environment("STATE_DIRECTORY"); !systemd.empty())
        return std::filesystem::path(systemd.substr(0, systemd.find(':')));
    if (::geteuid() == 0)
        return std::filesystem::path("/var/lib/amoskys");
    if (const std::string xdg = environment("XDG_STATE_HOME"); !xdg.empty())
        return std::filesystem::path(xdg) / "amoskys";
    if (const std::string home = environment("HOME"); !home.empty())
        return std::filesystem::path(home) / ".local/state/amoskys";
    return make_error(ErrorKind::usage, "no_state_dir", "no state directory: HOME is not set",
                      "give --state-dir DIR");
}

}  // namespace amoskys::module
