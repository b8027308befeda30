#include "core/module/lane_metrics.h"

#include <array>

namespace amoskys::module {
namespace {

struct Row {
    metrics::MetricInfo info;
    std::uint64_t (*value)(const link::ClientStats& client, const SpoolStats& spool);
};
using Client = const link::ClientStats&;
using Stored = const SpoolStats&;

constexpr Row counter(std::string_view name, std::string_view unit, std::string_view help,
                      std::uint64_t (*value)(Client, Stored)) {
    return {{name, metrics::Kind::counter, unit, help, "lane"}, value};
}
constexpr Row gauge(std::string_view name, std::string_view unit, std::string_view help,
                    std::uint64_t (*value)(Client, Stored)) {
    return {{name, metrics::Kind::gauge, unit, help, "lane"}, value};
}

constexpr std::array rows{
    counter("amoskys_agent_sent_envelopes_total", "envelopes",
            "Envelopes sent, repeated ones included",
            [](Client client, Stored) { return client.sent; }),
    counter("amoskys_agent_acked_envelopes_total", "envelopes",
            "Answers OK: committed by the bus, or there already",
            [](Client client, Stored) { return client.acked; }),
    counter("amoskys_agent_retried_envelopes_total", "envelopes",
            "Answers RETRY, OVERLOAD, QUOTA_EXCEEDED or PROCESSING_ERROR",
            [](Client client, Stored) { return client.retried; }),
    counter("amoskys_agent_rejected_envelopes_total", "envelopes",
            "Answers INVALID: quarantined, a gap marker in their place",
            [](Client, Stored spool) { return spool.rejected_envelopes; }),
    counter("amoskys_agent_envelope_bytes_total", "bytes", "Bytes of the envelopes that were sent",
            [](Client client, Stored) { return client.envelope_bytes; }),
    counter("amoskys_agent_wire_bytes_total", "bytes", "The same after compression",
            [](Client client, Stored) { return client.wire_bytes; }),
    counter("amoskys_agent_connections_total", "connections", "Connections to a bus",
            [](Client client, Stored) { return client.connects; }),
    counter("amoskys_agent_failed_connections_total", "connections",
            "Connections that could not be made, or that ended by a failure",
            [](Client client, Stored) { return client.failures; }),
    counter("amoskys_agent_bus_returns_total", "connections",
            "Returns to the preferred bus from another one",
            [](Client client, Stored) { return client.returns; }),
    counter("amoskys_agent_receipts_total", "receipts", "Signed receipts of a bus that were kept",
            [](Client client, Stored) { return client.receipts; }),
    counter("amoskys_agent_heads_total", "heads", "Signed heads sent",
            [](Client client, Stored) { return client.heads; }),
    gauge("amoskys_agent_connected", "", "1 while there is a session with a bus",
          [](Client client, Stored) { return std::uint64_t{client.connected}; }),
    gauge("amoskys_agent_spool_pending_envelopes", "envelopes",
          "Envelopes that no bus has acknowledged",
          [](Client, Stored spool) { return spool.pending_envelopes; }),
    gauge("amoskys_agent_spool_pending_bytes", "bytes", "Bytes of them",
          [](Client, Stored spool) { return spool.pending_bytes; }),
    gauge("amoskys_agent_spool_kept_bytes", "bytes",
          "Acknowledged envelopes kept until a receipt covers them",
          [](Client, Stored spool) { return spool.kept_bytes; }),
    gauge("amoskys_agent_spool_disk_full", "", "1 while nothing can be written to the spool's disk",
          [](Client, Stored spool) { return std::uint64_t{!spool.trouble.empty()}; }),
    counter("amoskys_agent_spool_commits_total", "commits", "Synced commits of envelopes",
            [](Client, Stored spool) { return spool.commits; }),
    counter("amoskys_agent_dropped_envelopes_total", "envelopes",
            "Envelopes dropped by a full spool, a gap marker in their place",
            [](Client, Stored spool) { return spool.dropped_envelopes; }),
    counter("amoskys_agent_dropped_events_total", "events", "Events in them",
            [](Client, Stored spool) { return spool.dropped_events; }),
    counter("amoskys_agent_unreadable_envelopes_total", "envelopes",
            "Envelopes that a damaged spool could not give any more",
            [](Client, Stored spool) { return spool.unreadable_envelopes; }),
    counter("amoskys_agent_epochs_total", "epochs", "Epochs of the lane that were begun",
            [](Client, Stored spool) { return spool.epochs_started; }),
    counter("amoskys_agent_bus_rollbacks_total", "rollbacks",
            "Times that a bus had less than it had promised",
            [](Client, Stored spool) { return spool.rollbacks; }),
};

constexpr auto lane_infos = [] {
    std::array<metrics::MetricInfo, rows.size()> out;
    for (std::size_t i = 0; i < rows.size(); ++i)
        out[i] = rows[i].info;
    return out;
}();

}  // namespace

std::span<const metrics::MetricInfo> lane_metrics() {
    return lane_infos;
}

void update_lane_metrics(metrics::Registry& metrics, const std::string& lane,
                         const link::ClientStats& client, const SpoolStats& spool) {
    for (const Row& row : rows) {
        const std::uint64_t total = row.value(client, spool);
        if (row.info.kind == metrics::Kind::gauge) {
            metrics.gauge(row.info, lane).set(static_cast<double>(total));
            continue;
        }
        auto& series = metrics.counter(row.info, lane);
        series.add(total - std::min(total, series.value()));
    }
}

}  // namespace amoskys::module
