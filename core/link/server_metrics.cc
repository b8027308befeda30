#include "core/link/server_metrics.h"

namespace amoskys::link {
namespace {

using metrics::Kind;
using metrics::MetricInfo;

// In the order of UniversalAck.Status.
constexpr std::string_view status_names[] = {"ok",
                                             "retry",
                                             "invalid",
                                             "overload",
                                             "quota_exceeded",
                                             "processing_error",
                                             "security_violation"};

constexpr double group_bounds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};

enum Index : std::size_t {
    received,
    received_bytes,
    accepted,
    rejected_envelopes,
    events,
    duplicates,
    unverified,
    gaps,
    future_time,
    resets,
    audits,
    receipts,
    heads,
    heads_refused,
    sessions,
    gate,
    connections,
    accept_pauses,
    refused,
    answers,
    unanswered,
    window,
    overloaded,
    reloads,
    certificate_end,
    trust_changes,
    budget_used,
    load,
    ack_seconds,
    commit_seconds,
    group_records,
    lag_envelopes,
    head_age,
    head_ahead,
    queued_bytes,
    log_bytes,
    log_records,
    free_bytes,
    oldest_seconds,
    segments,
    damaged_segments,
    devices,
    healthy,
    failed_commits,
    subscribers,
    cursors,
    held_records,
    readers,
    cursor_lag_records,
    delivered,
    delivered_bytes,
    undeliverable,
    subscriber_disconnects,
    pruned,
    identity_conflicts,
    log_limit,
    count
};

const MetricInfo* table() {
    static const MetricInfo infos[] = {
        {"amoskys_bus_received_envelopes_total", Kind::counter, "envelopes",
         "Envelopes that arrived"},
        {"amoskys_bus_received_bytes_total", Kind::counter, "bytes",
         "Bytes of the envelopes that arrived"},
        {"amoskys_bus_accepted_envelopes_total", Kind::counter, "envelopes",
         "Envelopes committed to the log and acknowledged"},
        {"amoskys_bus_rejected_envelopes_total", Kind::counter, "envelopes",
         "Envelopes answered anything but OK", "reason"},
        {"amoskys_bus_accepted_events_total", Kind::counter, "events",
         "Events in accepted envelopes"},
        {"amoskys_bus_duplicate_envelopes_total", Kind::counter, "envelopes",
         "Envelopes that were in the log already"},
        {"amoskys_bus_unverified_duplicate_envelopes_total", Kind::counter, "envelopes",
         "Old sequences whose stored digest is out of reach"},
        {"amoskys_bus_gap_markers_total", Kind::counter, "envelopes", "Gap markers accepted"},
        {"amoskys_bus_future_time_envelopes_total", Kind::counter, "envelopes",
         "Envelopes more than 300 s ahead of this host's clock"},
        {"amoskys_bus_epoch_resets_total", Kind::counter, "epochs", "New epochs of known lanes",
         "linked"},
        {"amoskys_bus_audit_records_total", Kind::counter, "records", "Audit records written"},
        {"amoskys_bus_receipts_total", Kind::counter, "receipts", "Receipts sent to agents"},
        {"amoskys_bus_heads_total", Kind::counter, "heads", "Signed heads of agents' lanes kept"},
        {"amoskys_bus_refused_heads_total", Kind::counter, "heads",
         "Heads of another lane, by an unknown key or with a bad signature"},
        {"amoskys_bus_sessions", Kind::gauge, "sessions", "Open sessions"},
        {"amoskys_bus_unauthenticated_connections", Kind::gauge, "connections",
         "Connections whose identity is not yet known"},
        {"amoskys_bus_accepted_connections_total", Kind::counter, "connections",
         "Connections let in to shake hands"},
        {"amoskys_bus_accept_pauses_total", Kind::counter, "pauses",
         "Times that no descriptor or memory was left for a connection"},
        {"amoskys_bus_refused_connections_total", Kind::counter, "connections",
         "Connections refused before or at HELLO", "reason"},
        {"amoskys_bus_answered_envelopes_total", Kind::counter, "envelopes",
         "Answers to envelopes, duplicates among them", "status"},
        {"amoskys_bus_unanswered_envelopes", Kind::gauge, "envelopes",
         "Envelopes that wait for their answer"},
        {"amoskys_bus_window_envelopes", Kind::gauge, "envelopes",
         "Envelopes that agents may send before they are answered"},
        {"amoskys_bus_overloaded", Kind::gauge, "state",
         "1 = envelopes are not taken, by overload or a full disk"},
        {"amoskys_bus_reloads_total", Kind::counter, "reloads",
         "Reloads of certificates, trust map and options", "result"},
        {"amoskys_bus_certificate_expiry_timestamp_seconds", Kind::gauge, "seconds",
         "Unix time at which the bus's certificate ends"},
        {"amoskys_bus_trust_changes_total", Kind::counter, "changes",
         "Agents that a reload added to, changed in or removed from the trust map"},
        {"amoskys_bus_credit_bytes", Kind::gauge, "bytes", "Credit that is out with all sessions"},
        {"amoskys_bus_load_ratio", Kind::gauge, "ratio", "Share of the credit budget in use"},
        {"amoskys_bus_publish_ack_seconds", Kind::histogram, "seconds",
         "From an envelope's arrival to its acknowledgement", "", metrics::latency_buckets()},
        {"amoskys_bus_commit_seconds", Kind::histogram, "seconds",
         "Time of one commit with its sync", "", metrics::latency_buckets()},
        {"amoskys_bus_commit_records", Kind::histogram, "records", "Records in one commit", "",
         group_bounds},
        {"amoskys_bus_agent_lag_envelopes", Kind::gauge, "envelopes",
         "What an agent said is waiting in its spool", "agent"},
        {"amoskys_bus_agent_head_age_seconds", Kind::gauge, "seconds",
         "Since the last signed head of that lane of an agent which is silent the longest",
         "agent"},
        {"amoskys_bus_agent_head_ahead_envelopes", Kind::gauge, "envelopes",
         "Envelopes that an agent's signed heads are ahead of the log", "agent"},
        {"amoskys_bus_log_queue_bytes", Kind::gauge, "bytes", "Bytes waiting for the log's writer"},
        {"amoskys_bus_log_bytes", Kind::gauge, "bytes", "Size of the log's files"},
        {"amoskys_bus_log_records", Kind::gauge, "records", "Records in the log"},
        {"amoskys_bus_disk_free_bytes", Kind::gauge, "bytes",
         "Free space on the log's file system"},
        {"amoskys_bus_log_oldest_record_seconds", Kind::gauge, "seconds",
         "Age of the oldest record"},
        {"amoskys_bus_log_segments", Kind::gauge, "segments", "Segments of the log"},
        {"amoskys_bus_log_damaged_segments", Kind::gauge, "segments", "Segments with damage"},
        {"amoskys_bus_devices", Kind::gauge, "devices", "Registered devices"},
        {"amoskys_bus_healthy", Kind::gauge, "state", "1 = serving, 0 = not able to commit"},
        {"amoskys_bus_failed_commits_total", Kind::counter, "commits", "Commits that failed"},
        {"amoskys_bus_subscribers", Kind::gauge, "sessions", "Sessions that read the log"},
        {"amoskys_bus_cursors", Kind::gauge, "cursors", "Durable positions of subscribers"},
        {"amoskys_bus_log_held_records", Kind::gauge, "records",
         "Records that a holding cursor keeps from being pruned"},
        {"amoskys_bus_log_readers", Kind::gauge, "transactions",
         "Read transactions open on the newest segment, of all processes"},
        {"amoskys_bus_cursor_lag_records", Kind::gauge, "records",
         "Records of the log that a subscriber is not done with; AGENT/ without cursor: not sent",
         "cursor"},
        {"amoskys_bus_delivered_records_total", Kind::counter, "records",
         "Records given to subscribers"},
        {"amoskys_bus_delivered_bytes_total", Kind::counter, "bytes",
         "Bytes of the envelopes given to subscribers"},
        {"amoskys_bus_undeliverable_records_total", Kind::counter, "records",
         "Records that a subscriber did not get: altered on disk, or too large for a frame"},
        {"amoskys_bus_subscriber_disconnects_total", Kind::counter, "sessions",
         "Subscriptions that ended", "reason"},
        {"amoskys_bus_pruned_records_total", Kind::counter, "records",
         "Records that retention removed; their leaf hashes stay"},
        {"amoskys_bus_identity_conflicts", Kind::gauge, "lanes",
         "Lanes that two hosts with one identity take from each other"},
        {"amoskys_bus_log_limit_bytes", Kind::gauge, "bytes",
         "Size that retention keeps the log near; 0 = no limit"},
    };
    static_assert(std::size(infos) == count);
    return infos;
}

}  // namespace

std::span<const MetricInfo> server_metric_table() {
    return {table(), count};
}

ServerMetrics::ServerMetrics(metrics::Registry& r)
    : registry(r),
      received(r.counter(table()[Index::received])),
      received_bytes(r.counter(table()[Index::received_bytes])),
      accepted(r.counter(table()[Index::accepted])),
      events(r.counter(table()[Index::events])),
      duplicates(r.counter(table()[Index::duplicates])),
      unverified(r.counter(table()[Index::unverified])),
      gaps(r.counter(table()[Index::gaps])),
      future_time(r.counter(table()[Index::future_time])),
      resets_linked(r.counter(table()[resets], "yes")),
      resets_unlinked(r.counter(table()[resets], "no")),
      audits(r.counter(table()[Index::audits])),
      receipts(r.counter(table()[Index::receipts])),
      heads(r.counter(table()[Index::heads])),
      heads_refused(r.counter(table()[Index::heads_refused])),
      delivered(r.counter(table()[Index::delivered])),
      delivered_bytes(r.counter(table()[Index::delivered_bytes])),
      undeliverable(r.counter(table()[Index::undeliverable])),
      pruned(r.counter(table()[Index::pruned])),
      sessions(r.gauge(table()[Index::sessions])),
      gate(r.gauge(table()[Index::gate])),
      unanswered(r.gauge(table()[Index::unanswered])),
      window(r.gauge(table()[Index::window])),
      overloaded(r.gauge(table()[Index::overloaded])),
      certificate_end(r.gauge(table()[Index::certificate_end])),
      connections(r.counter(table()[Index::connections])),
      accept_pauses(r.counter(table()[Index::accept_pauses])),
      trust_changes(r.counter(table()[Index::trust_changes])),
      budget_used(r.gauge(table()[Index::budget_used])),
      load(r.gauge(table()[Index::load])),
      ack_seconds(r.histogram(table()[Index::ack_seconds])),
      commit_seconds(r.histogram(table()[Index::commit_seconds])),
      group_records(r.histogram(table()[Index::group_records])) {
    // Shown from the start, so that a rate can be taken of the first one.
    for (const auto name : status_names)
        r.counter(table()[answers], name);
    for (const auto name : {"ok", "failed"})
        r.counter(table()[reloads], name);
}

void ServerMetrics::rejected(std::string_view reason) {
    registry.counter(table()[rejected_envelopes], reason).add();
}
void ServerMetrics::answered(wire::Status status, std::uint64_t envelopes) {
    registry.counter(table()[answers], status_names[static_cast<std::size_t>(status)])
        .add(envelopes);
}
void ServerMetrics::reloaded(bool ok) {
    registry.counter(table()[reloads], ok ? "ok" : "failed").add();
}
void ServerMetrics::connection_refused(std::string_view reason) {
    registry.counter(table()[refused], reason).add();
}
void ServerMetrics::head(const std::string& agent_id, double age_seconds, double ahead_envelopes) {
    registry.gauge(table()[head_age], agent_id).set(age_seconds);
    registry.gauge(table()[head_ahead], agent_id).set(ahead_envelopes);
}
void ServerMetrics::subscriber_ended(std::string_view reason) {
    registry.counter(table()[subscriber_disconnects], reason).add();
}
void ServerMetrics::cursor_lag(const std::string& cursor, double records) {
    registry.gauge(table()[cursor_lag_records], cursor).set(records);
}
void ServerMetrics::lag(const std::string& agent_id, double envelopes) {
    registry.gauge(table()[lag_envelopes], agent_id).set(envelopes);
}

LogGauges::LogGauges(metrics::Registry& r)
    : queued_bytes(r.gauge(table()[Index::queued_bytes])),
      log_bytes(r.gauge(table()[Index::log_bytes])),
      log_records(r.gauge(table()[Index::log_records])),
      free_bytes(r.gauge(table()[Index::free_bytes])),
      oldest_seconds(r.gauge(table()[Index::oldest_seconds])),
      segments(r.gauge(table()[Index::segments])),
      damaged_segments(r.gauge(table()[Index::damaged_segments])),
      devices(r.gauge(table()[Index::devices])),
      healthy(r.gauge(table()[Index::healthy])),
      subscribers(r.gauge(table()[Index::subscribers])),
      cursors(r.gauge(table()[Index::cursors])),
      held_records(r.gauge(table()[Index::held_records])),
      readers(r.gauge(table()[Index::readers])),
      identity_conflicts(r.gauge(table()[Index::identity_conflicts])),
      limit_bytes(r.gauge(table()[Index::log_limit])),
      failed_commits(r.counter(table()[Index::failed_commits])) {}

}  // namespace amoskys::link
