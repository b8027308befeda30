// Settings of `agent snmp` (agent.snmp.*). The defaults stand here and nowhere else.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/config/option.h"

namespace amoskys::snmp {

struct SnmpConfig {
    std::vector<std::string> target;
    std::string targets_file;
    config::Secret community{"public"};
    std::string version = "2c";
    std::string user;
    std::string auth_protocol = "none";
    config::Secret auth_password;
    std::string priv_protocol = "none";
    config::Secret priv_password;
    std::string context;
    Duration interval = std::chrono::seconds(60);
    Duration timeout = std::chrono::seconds(2);
    std::uint64_t retries = 1;
    std::string profile = "default";
    std::string profile_dir;
    bool vendor_profiles = true;
    std::uint64_t max_repetitions = 50;
    std::uint64_t max_in_flight = 64;
    std::uint64_t max_rows = 10'000;
    std::vector<std::string> trap_listen;
    std::uint64_t trap_rate = 100;
};

std::span<const config::Option> snmp_options();

}  // namespace amoskys::snmp
