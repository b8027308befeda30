// The module's entry in the table: data only.
#include "core/module/module.h"

#include "modules/collectors/snmp/collector.h"
#include "modules/collectors/snmp/config.h"
#include "modules/collectors/snmp/data_files.h"
#include "modules/collectors/snmp/metrics.h"
#include "modules/collectors/snmp/target.h"

namespace amoskys::snmp {
namespace {

using config::option;

constexpr config::Option options[] = {
    option<&SnmpConfig::target>(
        "target", "", "device to poll: [NAME=][udp:|udp6:|tcp:|tcp6:]HOST[:PORT]; repeatable", {},
        {.check = &snmp::check_target}),
    option<&SnmpConfig::community>("community", "",
                                   "community of all targets; @FILE reads it from a file"),
    option<&SnmpConfig::targets_file>(
        "targets_file", "", "file of further devices (YAML, CSV); see conf/snmp/README.md"),
    option<&SnmpConfig::version>("version", "", "version of the protocol", {},
                                 {.choices = "1|2c|3"}),
    option<&SnmpConfig::user>("user", "", "version 3: user"),
    option<&SnmpConfig::auth_protocol>("auth_protocol", "",
                                       "version 3: authentication; with a password alone: sha", {},
                                       {.choices = "none|md5|sha|sha224|sha256|sha384|sha512"}),
    option<&SnmpConfig::auth_password>("auth_password", "", "version 3: authentication password"),
    option<&SnmpConfig::priv_protocol>(
        "priv_protocol", "",
        "version 3: encryption; with a password alone: aes; c = the keys of Cisco", {},
        {.choices = "none|des|aes|aes192|aes192c|aes256|aes256c"}),
    option<&SnmpConfig::priv_password>("priv_password", "", "version 3: encryption password"),
    option<&SnmpConfig::context>("context", "", "version 3: name of the context"),
    option<&SnmpConfig::interval>("interval", "", "time from one poll of a device to the next",
                                  {1, 86'400}),
    option<&SnmpConfig::timeout>(
        "timeout", "", "time that a device has for the first try of a request; doubles with each",
        {0.05, 60}),
    option<&SnmpConfig::retries>("retries", "", "tries after the first one", {0, 10}),
    option<&SnmpConfig::profile>("profile", "",
                                 "what is read from each device: NAME, or NAME+NAME"),
    option<&SnmpConfig::profile_dir>("profile_dir", "",
                                     "folder of further profiles; they go before the embedded"),
    option<&SnmpConfig::vendor_profiles>("vendor_profiles", "",
                                         "add the profile whose match is the device's sysObjectID"),
    option<&SnmpConfig::max_repetitions>(
        "max_repetitions", "rows", "most rows asked for in one GETBULK; a device begins with 25",
        {1, 1000}),
    option<&SnmpConfig::max_in_flight>(
        "max_in_flight", "requests", "requests on their way to all devices together", {1, 10'000}),
    option<&SnmpConfig::max_rows>("max_rows", "rows", "most rows kept of one table column",
                                  {1, 1'000'000}),
    option<&SnmpConfig::trap_listen>(
        "trap_listen", "",
        "addresses to take traps and informs on, with the same community or user: HOST:PORT"),
    option<&SnmpConfig::trap_rate>("trap_rate", "notifications/s",
                                   "most taken of one source on average", {1, 100'000}),
};

constexpr std::string_view privileges[] = {
    "CAP_NET_BIND_SERVICE: receives traps on a port below 1024 (trap_listen)",
};

}  // namespace

std::span<const config::Option> snmp_options() {
    return options;
}
std::span<const metrics::MetricInfo> snmp_metrics() {
    return all_metrics;
}

}  // namespace amoskys::snmp

namespace amoskys::modules {

extern const module::ModuleInfo snmp_module;
const module::ModuleInfo snmp_module = {
    .name = "snmp",
    .kind = module::Kind::collector,
    .summary = "polls devices by SNMP and publishes their metrics",
    .details =
        "Reads the scalars and tables of a profile from each target with GET and GETBULK (GETNEXT "
        "with version 1)\n"
        "and publishes one record per device and cycle: numbers as numbers, counters exactly, "
        "texts as texts, the\n"
        "name of an interface, disk or storage as label. What a device does not have is missing, "
        "never 0.\n"
        "\n"
        "Version 3 takes a user with auth_password and priv_password; engines are discovered "
        "without "
        "waiting. The\n"
        "last try of a device that never answers carries a second message, to tell a wrong secret "
        "from a dead host.\n"
        "\n"
        "With trap_listen it also receives traps and informs, answers informs, and publishes both "
        "as logs, linkDown\n"
        "and linkUp as alarms too.\n"
        "\n"
        "Targets do not wait for each other. A device that keeps silent is published as offline, "
        "with the reason.\n"
        "With --once, a run in which no device gave any value ends with exit code 69."
        "\n\nExamples:\n"
        "  amoskys agent snmp --target udp:192.0.2.1 --community @FILE --bus 127.0.0.1:50051\n"
        "  amoskys agent snmp --target udp:127.0.0.1:161 --community public --once --stdout\n",
    .config_root = "agent.snmp",
    .options = snmp::options,
    .make_config = &config::make_config<snmp::SnmpConfig>,
    .metrics = snmp::all_metrics,
    .privileges = snmp::privileges,
    .make_collector = &snmp::make_snmp_collector,
    .data_files = &snmp::data_files,
};

}  // namespace amoskys::modules
