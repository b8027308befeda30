#include "core/module/module.h"

#include "modules/collectors/proc/collector.h"

namespace amoskys::modules {
namespace {

using proc::ProcConfig;

constexpr config::Option options[] = {
    config::option<&ProcConfig::interval>("interval", "", "time from one scan to the next",
                                          {0.1, 86400}),
    config::option<&ProcConfig::details_interval>(
        "details_interval", "",
        "read and send all fields of a process at first sight, when its program, name or owner has "
        "changed, and so long after the last time; in between only what moves; 0 = every scan",
        {0, 86400}),
    config::option<&ProcConfig::first_sample>(
        "first_sample", "",
        "look at CPU times this long before the first scan, for its shares; 0 = do not", {0, 10}),
    config::option<&ProcConfig::processes>("processes", "", "collect processes"),
    config::option<&ProcConfig::host_metrics>(
        "host_metrics", "", "collect the host's own metrics under their SNMP names"),
    config::option<&ProcConfig::life_cycle>(
        "life_cycle", "",
        "how fork, exec and exit are seen: told by the kernel (connector), by comparing scans "
        "(poll), or the first where it is allowed (auto)",
        {}, {.choices = "auto|connector|poll"}),
    config::option<&ProcConfig::life_cycle_buffer>(
        "life_cycle_buffer", "", "receive buffer for what the kernel tells", {65536, 1 << 30}),
    config::option<&ProcConfig::security>("security", "",
                                          "report what an attacker would do, see README"),
    config::option<&ProcConfig::allow>(
        "allow", "",
        "what is not reported: \"RULE GLOB\" each, RULE a rule's name or *, GLOB for the program "
        "or the evidence",
        {}, {.check = &proc::check_allow}),
    config::option<&ProcConfig::fields>(
        "read_fields", "",
        "what to read of each process beyond stat and status: exe, cmdline, cgroup, cwd, root, io, "
        "fds, loginuid, namespaces, sockets, hash, environ (for security alone), pss (costs half a "
        "millisecond a process)"),
    config::option<&ProcConfig::hash_budget>("hash_budget", "",
                                             "read at most so much of programs per scan to hash "
                                             "them",
                                             {0, 1099511627776.0}),
    config::option<&ProcConfig::hash_max>("hash_max", "", "do not hash larger programs",
                                          {0, 1099511627776.0}),
    config::option<&ProcConfig::max_processes>(
        "max_processes", "processes", "read at most so many per scan, the lowest pids first",
        {1, 4194304}),
    config::option<&ProcConfig::proc_root>("proc_root", "",
                                           "where the proc file system is mounted"),
    config::option<&ProcConfig::sys_root>("sys_root", "", "where sysfs is mounted"),
    config::option<&ProcConfig::passwd>("passwd", "",
                                        "file with the names of users, in the form of passwd(5)"),
    config::option<&ProcConfig::group>("group", "",
                                       "file with the names of groups, in the form of group(5)"),
};

constexpr std::string_view privileges[] = {
    "CAP_SYS_PTRACE: reads exe, cwd, root, io, namespaces and environ of other users' processes; "
    "without it they are missing",
    "CAP_DAC_READ_SEARCH: lists their descriptors (fds, sockets) and hashes programs that only "
    "their owner may read; without it those are missing",
    "CAP_NET_ADMIN: life cycle from the kernel before Linux 6.6, and a larger buffer for it; "
    "without "
    "it scans are compared. Given up once the source is open",
    "CAP_SYS_NICE: reads arguments of short-lived programs ahead of others (nice -10); without it "
    "more of them are too late. Given up at once",
};

constexpr std::string_view details =
    "Reads every process below /proc once per interval and sends it as an event: SNAPSHOT, START "
    "for one that is\n"
    "new, EXIT for one that has gone. Where the kernel tells of it (life_cycle), START, EXEC and "
    "EXIT come as they\n"
    "happen, with exit code and duration, and what was lost or came too late is counted; where "
    "not, "
    "a process that\n"
    "lives shorter than the interval can stay unseen. A field that could not be read is named in "
    "`missing` with the\n"
    "reason; a `partial` event leaves out what has not changed.\n"
    "\n"
    "What an attacker would do (a program without a file, a shell on a socket, a library put "
    "before "
    "others ...) is\n"
    "sent as a SECURITY event with ATT&CK technique and evidence.\n"
    "\n"
    "Beside them goes one record of the host's own metrics (load, memory, processors, disks, file "
    "systems,\n"
    "interfaces) with the names and units of the SNMP profile `default`.\n"
    "\n"
    "cpu_percent is the share of one CPU since the previous scan; of the first scan, since a look "
    "at the CPU times\n"
    "first_sample earlier; of a process that started in between, since its start."
    "\n\nExamples:\n"
    "  amoskys agent proc --bus 127.0.0.1:50051\n"
    "  amoskys agent proc --once --stdout -o ndjson\n";

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
    .watches_processes = true,
    .make_collector = &proc::ProcCollector::make,
    .spool_sync = std::chrono::milliseconds(100),
};

}  // namespace amoskys::modules
