// Sections with every type of option, for the tests of this folder.
#pragma once

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "core/base/test/temp_folder.h"
#include "core/config/config.h"

namespace amoskys::config::example {

using namespace std::chrono_literals;

struct SnmpConfig {
    Duration interval = 60s;
    std::vector<std::string> targets;
    Secret community;
    std::string version = "2c";
    bool once = false;
    Size max_bytes{64U << 10};
};
inline constexpr Option snmp_options[] = {
    option<&SnmpConfig::interval>("interval", "", "time between polls", {0.1, 3600},
                                  {.reloadable = true}),
    option<&SnmpConfig::targets>("targets", "", "devices to poll"),
    option<&SnmpConfig::community>("community", "", "community of version 2c"),
    option<&SnmpConfig::version>("version", "", "protocol version", {}, {.choices = "1|2c|3"}),
    option<&SnmpConfig::once>("once", "", "one cycle", {}, {.command_line_only = true}),
    option<&SnmpConfig::max_bytes>("max_bytes", "", "largest envelope", {1024, 1 << 20}),
};

struct BusConfig {
    std::string listen = "127.0.0.1:50051";
    std::string http_listen = "127.0.0.1:9000";
    std::vector<std::string> further;
    std::uint64_t max_inflight = 100;
    std::int64_t offset = -5;
    double ratio = 0.5;
    bool overload = false;
    Duration dedup_window = 300s;
};
inline constexpr Option bus_options[] = {
    option<&BusConfig::listen>("listen", "", "address to serve on"),
    option<&BusConfig::http_listen>("http.listen", "", "address of metrics and health"),
    option<&BusConfig::further>("http.further_listen", "", "more of them"),
    option<&BusConfig::max_inflight>("max_inflight", "envelopes", "soft limit", {1, 10000}),
    option<&BusConfig::offset>("offset", "", "a number", {-10, 10}),
    option<&BusConfig::ratio>("ratio", "", "a share", {0, 1}),
    option<&BusConfig::overload>("overload", "", "refuse everything"),
    option<&BusConfig::dedup_window>("dedup_window", "", "how long keys are kept"),
};

struct TopConfig {
    std::string state_dir;
};
inline constexpr Option top_options[] = {
    option<&TopConfig::state_dir>("state_dir", "", "state directory"),
};

struct ReplayConfig {
    std::string file;
};
inline constexpr Option replay_options[] = {
    option<&ReplayConfig::file>("file", "", "the recording", {}, {.required = true}),
};

struct LogConfig {
    std::string level = "info";
};
inline constexpr Option log_options[] = {
    option<&LogConfig::level>("level", "", "least level", {},
                              {.choices = "debug|info|warning|error|off"}),
};

inline const Section sections[] = {
    {"", top_options, make_config<TopConfig>},
    {"log", log_options, make_config<LogConfig>},
    {"bus", bus_options, make_config<BusConfig>},
    {"agent.snmp", snmp_options, make_config<SnmpConfig>},
    {"agent.replay", replay_options, make_config<ReplayConfig>},
};

inline Result<Loaded> load_text(std::string_view yaml, Sources sources = {}) {
    const TempFolder folder;
    sources.files = {folder.write("a.yaml", yaml)};
    return load(sections, sources);
}

// The message, with the folder of the file left out.
inline std::string error_of(std::string_view yaml, Sources sources = {}) {
    const auto loaded = load_text(yaml, std::move(sources));
    if (loaded)
        return "no error";
    std::string text = loaded.error().message;
    for (auto at = text.find("/a.yaml"); at != std::string::npos; at = text.find("/a.yaml")) {
        const auto line = text.rfind('\n', at);
        const auto first = line == std::string::npos ? 0 : line + 1;
        text.erase(first, at + 1 - first);
    }
    return text;
}

}  // namespace amoskys::config::example
