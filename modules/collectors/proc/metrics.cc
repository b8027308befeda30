#include "modules/collectors/proc/metrics.h"

namespace amoskys::proc {
namespace {

constexpr double scan_buckets[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5};

constexpr metrics::MetricInfo table[] = {
    {"amoskys_proc_records_total", metrics::Kind::counter, "records",
     "records emitted: metrics of the host, security observations", "kind"},
    {"amoskys_proc_events_total", metrics::Kind::counter, "events",
     "events emitted: SNAPSHOT, START, EXEC and EXIT of processes, METRIC of the host", "kind"},
    {"amoskys_proc_bytes_total", metrics::Kind::counter, "bytes",
     "serialized size of what was emitted"},
    {"amoskys_proc_read_bytes_total", metrics::Kind::counter, "bytes",
     "bytes read from /proc for processes"},
    {"amoskys_proc_hashed_bytes_total", metrics::Kind::counter, "bytes",
     "bytes of programs read for their SHA-256"},
    {"amoskys_proc_scan_seconds", metrics::Kind::histogram, "seconds",
     "time of one scan, waiting for the emitter included", "", scan_buckets},
    {"amoskys_proc_processes", metrics::Kind::gauge, "processes",
     "processes known after the last scan"},
    {"amoskys_proc_skipped_processes_total", metrics::Kind::counter, "processes",
     "listed processes that gave no event: ended while being read, refused, unreadable text, over "
     "max_processes",
     "reason"},
    {"amoskys_proc_errors_total", metrics::Kind::counter, "errors",
     "failures: the list of processes, files of the host, the life-cycle source", "reason"},
    {"amoskys_proc_life_cycle_messages_total", metrics::Kind::counter, "messages",
     "messages of the kernel about processes and threads received"},
    {"amoskys_proc_life_cycle_lost_total", metrics::Kind::counter, "messages",
     "messages that the kernel sent and the agent did not get: gaps in its numbers; overrun counts "
     "how often the buffer was full, malformed what could not be read",
     "kind"},
    {"amoskys_proc_life_cycle_late_total", metrics::Kind::counter, "processes",
     "programs whose arguments were gone before they could be read, processes whose start time was",
     "what"},
    {"amoskys_proc_life_cycle_active", metrics::Kind::gauge, "",
     "1 where the kernel tells of every exec and exit, 0 where only scans see them"},
    {"amoskys_proc_security_observations_total", metrics::Kind::counter, "observations",
     "security observations, by rule; held_back: over 600 a minute; allowed: by agent.proc.allow",
     "rule"},
};

}  // namespace

const std::span<const metrics::MetricInfo> proc_metrics = table;

}  // namespace amoskys::proc
