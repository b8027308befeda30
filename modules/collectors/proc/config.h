// Settings of agent proc (module.cc has their table). The defaults stand here and nowhere else.
#pragma once

#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/config/option.h"

namespace amoskys::proc {

struct ProcConfig {
    Duration interval = std::chrono::seconds(30);
    Duration details_interval = std::chrono::minutes(5);
    Duration first_sample = std::chrono::milliseconds(200);
    bool processes = true;
    bool host_metrics = true;
    std::string life_cycle = "auto";
    config::Size life_cycle_buffer{8U << 20U};
    bool security = true;
    std::vector<std::string> allow;
    std::vector<std::string> fields = {"exe",        "cmdline", "cgroup", "cwd",
                                       "root",       "io",      "fds",    "loginuid",
                                       "namespaces", "sockets", "hash",   "environ"};
    config::Size hash_budget{64U << 20U};
    config::Size hash_max{512U << 20U};
    std::uint64_t max_processes = 32768;
    std::string proc_root = "/proc";
    std::string sys_root = "/sys";
    std::string passwd = "/etc/passwd";
    std::string group = "/etc/group";
};

}  // namespace amoskys::proc
