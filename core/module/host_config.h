// The settings that belong to no single module: state_dir, log.*, sandbox.*, and agent.* (what
// every collector's pipeline shares: identity, bus list, spool, send rate).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/config/config.h"

namespace amoskys::module {

struct GeneralConfig {
    std::string state_dir;
};

struct LogConfig {
    std::string level = "info";
    std::string format = "text";
};

struct SandboxConfig {
    std::string mode = "auto";
    std::string user;
};

struct AgentConfig {
    std::vector<std::string> collectors = {"proc"};  // of `agent run` and `up`
    std::vector<std::string> bus = {"127.0.0.1:50051"};
    std::string id;         // CN of the identity to use; empty = the only one, or this host's
    std::string pki_dir;    // empty = <state_dir>/pki
    std::string spool_dir;  // empty = <state_dir>/spool
    std::uint64_t send_rate = 0;
    config::Size spool_max_bytes{209'715'200};
    config::Size spool_min_free{67'108'864};
    std::string spool_when_full = "auto";
    std::string spool_sync = "auto";
    std::vector<std::string> log_keys;  // files; empty = pinned on first use
    std::string compression = "auto";
    std::uint64_t retry_max = 6;
    Duration retry_timeout = std::chrono::seconds(30);
    config::Size max_envelope_bytes{131'072};
    Duration head_interval = std::chrono::seconds(30);
    Duration bus_return = std::chrono::seconds(60);
    Duration batch_max_age = std::chrono::seconds(1);
    config::Size batch_max_bytes{114'688};
    Duration ack_timeout = std::chrono::seconds(30);
    Duration connect_timeout = std::chrono::seconds(5);
    std::string http_listen;  // empty = none for a single agent
    std::vector<std::string> thresholds = {
        "disk_full: percent(hrStorageUsed of hrStorageSize) where hrStorageDescr=/* >= 85/95 clear "
        "80",
        "memory_low: percent(memSysAvail of memTotalReal) < 10/5 clear 15",
        "cpu_busy: hrProcessorLoad >= 90/98 clear 80 for 3",
        "interface_errors: rate(ifInErrors) > 1/10 clear 0.1 for 2"};
};

// In the order in which conf/ and `config defaults` show them.
std::vector<config::Section> host_sections();

// The table of agent.*, for the command line of collectors.
std::span<const config::Option> agent_options();

// --state-dir / file, $STATE_DIRECTORY, root: /var/lib/amoskys, $XDG_STATE_HOME/amoskys,
// ~/.local/state/amoskys: the first that is set.
Result<std::filesystem::path> resolve_state_dir(const std::string& configured);

}  // namespace amoskys::module
