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
    config::Secret community{"public"};
    std::string version = "2c";
    Duration interval = std::chrono::seconds(60);
    Duration timeout = std::chrono::seconds(2);
    std::uint64_t retries = 1;
    std::string profile = "default";
    std::uint64_t max_repetitions = 25;
    std::uint64_t max_in_flight = 64;
    std::uint64_t max_rows = 10'000;
};

std::span<const config::Option> snmp_options();

}  // namespace amoskys::snmp
