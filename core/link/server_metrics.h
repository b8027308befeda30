// The metrics of the bus side. The table is part of the bus module's description; the struct holds
// the series that sessions touch often.
#pragma once

#include <span>
#include <string_view>

#include "core/metrics/metrics.h"
#include "core/wire/custody.h"

namespace amoskys::link {

std::span<const metrics::MetricInfo> server_metric_table();

struct ServerMetrics {
    explicit ServerMetrics(metrics::Registry& registry);

    metrics::Registry& registry;
    metrics::Counter &received, &received_bytes, &accepted, &events, &duplicates, &unverified,
        &gaps, &future_time, &resets_linked, &resets_unlinked, &audits, &receipts, &heads,
        &heads_refused, &delivered, &delivered_bytes, &undeliverable, &pruned;
    metrics::Gauge &sessions, &gate, &unanswered, &window, &overloaded, &certificate_end;
    metrics::Counter &connections, &accept_pauses, &trust_changes;
    metrics::Gauge &budget_used, &load;
    metrics::Histogram &ack_seconds, &commit_seconds, &group_records;
    void rejected(std::string_view reason);  // an envelope
    void answered(wire::Status status, std::uint64_t envelopes);
    void reloaded(bool ok);
    void connection_refused(std::string_view reason);  // a connection or HELLO
    void head(const std::string& agent_id, double age_seconds, double ahead_envelopes);
    void subscriber_ended(std::string_view reason);
    void cursor_lag(const std::string& cursor, double records);  // "AGENT/NAME"
    void lag(const std::string& agent_id, double envelopes);
};

// Gauges that the shell sets once a second.
struct LogGauges {
    explicit LogGauges(metrics::Registry& registry);
    metrics::Gauge &queued_bytes, &log_bytes, &log_records, &free_bytes, &oldest_seconds, &segments,
        &damaged_segments, &devices, &healthy, &subscribers, &cursors, &held_records, &readers,
        &identity_conflicts, &limit_bytes;
    metrics::Counter& failed_commits;
};

}  // namespace amoskys::link
