// The module's entry in the table: data only.
#include "core/module/module.h"

#include "modules/collectors/snmp/collector.h"
#include "modules/collectors/snmp/config.h"
#include "modules/collectors/snmp/metrics.h"

namespace amoskys::snmp {
namespace {

using config::option;

constexpr config::Option options[] = {
    option<&SnmpConfig::target>(
        "target", "", "device to poll: [NAME=][udp:|udp6:|tcp:|tcp6:]HOST[:PORT]; repeatable"),
    option<&SnmpConfig::community>("community", "",
                                   "community of all targets; @FILE reads it from a file"),
    option<&SnmpConfig::version>("version", "", "version of the protocol", {}, {.choices = "1|2c"}),
    option<&SnmpConfig::interval>("interval", "", "time from one poll of a device to the next",
                                  {1, 86'400}),
    option<&SnmpConfig::timeout>("timeout", "", "time that a device has for each try of a request",
                                 {0.05, 60}),
    option<&SnmpConfig::retries>("retries", "", "tries after the first one", {0, 10}),
    option<&SnmpConfig::profile>("profile", "", "what is read from each device"),
    option<&SnmpConfig::max_repetitions>("max_repetitions", "rows",
                                         "most rows asked for in one GETBULK", {1, 1000}),
    option<&SnmpConfig::max_in_flight>(
        "max_in_flight", "requests", "requests on their way to all devices together", {1, 10'000}),
    option<&SnmpConfig::max_rows>("max_rows", "rows", "most rows kept of one table column",
                                  {1, 1'000'000}),
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
        "Targets do not wait for each other. A device that keeps silent is published as offline, "
        "with the reason.\n"
        "With --once, a run in which no device gave any value ends with exit code 69.",
    .config_root = "agent.snmp",
    .options = snmp::options,
    .make_config = &config::make_config<snmp::SnmpConfig>,
    .metrics = snmp::all_metrics,
    .make_collector = &snmp::make_snmp_collector,
};

}  // namespace amoskys::modules
