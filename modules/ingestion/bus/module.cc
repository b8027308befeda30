// The module's entry in the table: data only.
#include "core/module/module.h"

#include "core/io/runtime.h"
#include "core/link/server_metrics.h"
#include "modules/ingestion/bus/bus_config.h"
#include "modules/ingestion/bus/bus_service.h"

namespace amoskys::ingestion {
namespace {

using config::option;
constexpr config::Flags live{.reloadable = true};
constexpr config::Bounds seconds{0.1, 86'400};

constexpr config::Option options[] = {
    option<&BusConfig::listen>("listen", "", "address to serve agents on: HOST:PORT", {},
                               {.check = &io::check_endpoint}),
    option<&BusConfig::http_listen>("http.listen", "",
                                    "address of metrics and health pages; empty = none", {},
                                    {.check = &io::check_endpoint}),
    option<&BusConfig::http_further_listen>("http.further_listen", "",
                                            "further addresses of the same pages", {},
                                            {.check = &io::check_endpoint}),
    option<&BusConfig::http_metrics>("http.metrics", "", "serve /metrics"),
    option<&BusConfig::pki_dir>("pki_dir", "",
                                "folder of keys and certificates; empty = <state_dir>/pki", {},
                                {.reloadable = true, .path = true}),
    option<&BusConfig::max_envelope_bytes>(
        "max_envelope_bytes", "bytes", "largest envelope that is accepted", {1024, 131'072}, live),
    option<&BusConfig::max_inflight>("max_inflight", "envelopes",
                                     "unanswered envelopes of a session", {1, 10'000}, live),
    option<&BusConfig::hard_max_inflight>("hard_max_inflight", "envelopes",
                                          "the same, where the agent says that more wait",
                                          {1, 10'000}, live),
    option<&BusConfig::max_sessions>("max_sessions", "sessions", "connections in all", {1, 100'000},
                                     live),
    option<&BusConfig::max_sessions_per_agent>("max_sessions_per_agent", "sessions",
                                               "connections of one agent", {1, 100'000}, live),
    option<&BusConfig::max_unauthenticated>(
        "max_unauthenticated", "connections",
        "connections whose identity is not yet known to be in the trust map", {1, 100'000}, live),
    option<&BusConfig::max_unauthenticated_per_address>("max_unauthenticated_per_address",
                                                        "connections", "the same, from one address",
                                                        {1, 100'000}, live),
    option<&BusConfig::overload>("overload", "",
                                 "answer OVERLOAD: always, never, or as the log's queue demands",
                                 {}, {.reloadable = true, .choices = "auto|on|off|true|false"}),
    option<&BusConfig::dedup_window>("dedup_window", "",
                                     "how long an idempotency key is remembered", {1, 86'400}),
    option<&BusConfig::dedup_keys>("dedup_keys", "keys", "idempotency keys remembered at most",
                                   {1, 10'000'000}),
    option<&BusConfig::handshake_timeout>("handshake_timeout", "", "time for a TLS handshake",
                                          seconds, live),
    option<&BusConfig::first_frame_timeout>("first_frame_timeout", "", "time until HELLO", seconds,
                                            live),
    option<&BusConfig::frame_timeout>("frame_timeout", "",
                                      "time from a frame's first byte to its last", seconds, live),
    option<&BusConfig::ping_after>("ping_after", "", "silence of an agent before it gets a PING",
                                   seconds, live),
    option<&BusConfig::idle_timeout>(
        "idle_timeout", "", "silence of an agent before it is disconnected", seconds, live),
    option<&BusConfig::stalled_write_timeout>("stalled_write_timeout", "",
                                              "time for a peer to take our bytes", seconds, live),
    option<&BusConfig::drain_timeout>("drain_timeout", "",
                                      "time for agents to leave when the bus stops", seconds, live),
    option<&BusConfig::receipt_interval>("receipt_interval", "",
                                         "time between signed receipts to an agent", seconds, live),
    option<&BusConfig::checkpoint_every>(
        "checkpoint_every", "", "time between signed checkpoints of the log, while it grows",
        seconds, live),
    option<&BusConfig::max_subscribers>("max_subscribers", "sessions",
                                        "sessions that may read the log (SUBSCRIBE)", {0, 10'000},
                                        live),
    option<&BusConfig::slow_reader_timeout>(
        "slow_reader_timeout", "",
        "how long a subscriber may grant nothing, with records waiting, before it is disconnected",
        seconds, live),
    option<&BusConfig::watch_interval>(
        "watch_interval", "", "time between looks at certificates, keys and trust map for changes",
        seconds, live),
    option<&BusConfig::wal_segment_max>(
        "wal.segment_max", "bytes", "size at which a new segment begins", {16 << 20, 1ULL << 36}),
    option<&BusConfig::wal_segment_max_age>("wal.segment_max_age", "",
                                            "age at which a new segment begins", {60, 31'622'400}),
    option<&BusConfig::wal_min_free>("wal.min_free", "bytes",
                                     "free disk space below which envelopes have to wait"),
    option<&BusConfig::wal_queue_max>("wal.queue_max", "bytes", "envelopes waiting for the disk",
                                      {1 << 20, 1ULL << 34}),
    option<&BusConfig::retention_max_age>(
        "retention.max_age", "", "older records are removed, whole segments at a time; 0 = never",
        {0, 3'153'600'000}, live),
    option<&BusConfig::retention_max_bytes>(
        "retention.max_bytes", "bytes",
        "size of the log beyond which its oldest segments are removed; 0 = no limit",
        {0, 1ULL << 50}, live),
    option<&BusConfig::retention_max_records>(
        "retention.max_records", "records",
        "number of records beyond which the oldest segments are removed; 0 = no limit", {}, live),
};

}  // namespace

std::span<const config::Option> bus_options() {
    return options;
}

}  // namespace amoskys::ingestion

namespace amoskys::modules {

extern const module::ModuleInfo bus_module;
const module::ModuleInfo bus_module = {
    .name = "bus",
    .kind = module::Kind::service,
    .summary = "takes signed envelopes from agents and keeps them in its log",
    .details =
        "Agents connect over TLS 1.3 with a client certificate. Each envelope is checked (who "
        "sends it, form, "
        "sequence,\n"
        "signature, chain) and acknowledged once it is on disk; what is sent again is stored "
        "once.\n"
        "\n"
        "Keys come from `amoskys pki init`. SIGHUP reads certificates, trust map and limits again. "
        "Pages: /metrics,\n"
        "/livez, /readyz, /healthz."
        "\n\nExamples:\n"
        "  amoskys bus --listen 0.0.0.0:50051\n"
        "  amoskys bus --retention-max-bytes 10GiB --retention-max-age 7d\n",
    .config_root = "bus",
    .options = ingestion::options,
    .make_config = &config::make_config<ingestion::BusConfig>,
    .metrics = link::server_metric_table(),
    .make_service = &ingestion::make_bus_service,
};

}  // namespace amoskys::modules
