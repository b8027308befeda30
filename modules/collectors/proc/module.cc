#include "core/module/module.h"

#include "modules/collectors/proc/collector.h"

namespace amoskys::modules {
namespace {

using proc::ProcConfig;

constexpr config::Option options[] = {
    config::option<&ProcConfig::interval>("interval", "", "time from one scan to the next",
                                          {0.1, 86400}),
    config::option<&ProcConfig::first_sample>(
        "first_sample", "",
        "look at CPU times this long before the first scan, for its shares; 0 = do not", {0, 10}),
    config::option<&ProcConfig::processes>("processes", "", "collect processes"),
    config::option<&ProcConfig::host_metrics>(
        "host_metrics", "", "collect the host's own metrics under their SNMP names"),
    config::option<&ProcConfig::fields>(
        "read_fields", "",
        "what to read of each process beyond stat and status: exe, cmdline, cgroup, cwd, io, fds"),
    config::option<&ProcConfig::max_processes>(
        "max_processes", "processes", "read at most so many per scan, the lowest pids first",
        {1, 4194304}),
    config::option<&ProcConfig::proc_root>("proc_root", "",
                                           "where the proc file system is mounted"),
    config::option<&ProcConfig::sys_root>("sys_root", "", "where sysfs is mounted"),
    config::option<&ProcConfig::passwd>("passwd", "",
                                        "file with the names of users, in the form of passwd(5)"),
};

constexpr std::string_view privileges[] = {
    "CAP_SYS_PTRACE: reads exe, cwd, io and fds of other users' processes; without it they are "
    "missing",
};

constexpr std::string_view details =
    "Reads every process below /proc once per interval and sends it as an event: SNAPSHOT, START "
    "for one that is\n"
    "new since the last scan, EXIT for one that has gone. A process that lives shorter than the "
    "interval can stay\n"
    "unseen. A field that could not be read is named in `missing` with the reason.\n"
    "\n"
    "Beside them goes one record of the host's own metrics (load, memory, processors, disks, file "
    "systems,\n"
    "interfaces) with the names and units of the SNMP profile `default`.\n"
    "\n"
    "cpu_percent is the share of one CPU since the previous scan; of the first scan, since a look "
    "at the CPU times\n"
    "first_sample earlier; of a process that started in between, since its start.";

}  // namespace

extern const module::ModuleInfo proc_module;
const module::ModuleInfo proc_module{
    .name = "proc",
    .kind = module::Kind::collector,
    .summary = "collect the processes and metrics of this host from /proc",
    .details = details,
    .config_root = "agent.proc",
    .options = options,
    .make_config = &config::make_config<ProcConfig>,
    .metrics = proc::proc_metrics,
    .privileges = privileges,
    .make_collector = &proc::ProcCollector::make,
    .spool_sync = std::chrono::milliseconds(100),
};

}  // namespace amoskys::modules
