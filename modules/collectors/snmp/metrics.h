// The metrics of `agent snmp` about itself. Successors of the earlier agent's ten: see README.md.
#pragma once

#include <span>

#include "core/metrics/metrics.h"

namespace amoskys::snmp {

inline constexpr double duration_buckets[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                              0.5,   1,      2.5,   5,    10,    30,   60};

inline constexpr metrics::MetricInfo polls_metric{
    "amoskys_snmp_polls_total", metrics::Kind::counter, "polls",
    "Polls of a device by result: ok, partial, no_answer, not_sent, skipped", "result"};
inline constexpr metrics::MetricInfo devices_metric{
    "amoskys_snmp_devices", metrics::Kind::gauge, "devices",
    "Devices by the result of their last poll", "state"};
inline constexpr metrics::MetricInfo duration_metric{
    "amoskys_snmp_poll_duration_seconds",
    metrics::Kind::histogram,
    "seconds",
    "Time from the first request of a poll to its last answer",
    "",
    duration_buckets};
inline constexpr metrics::MetricInfo requests_metric{
    "amoskys_snmp_requests_total", metrics::Kind::counter, "requests",
    "Requests that devices were sent in answered polls"};
inline constexpr metrics::MetricInfo retries_metric{"amoskys_snmp_retries_total",
                                                    metrics::Kind::counter, "requests",
                                                    "Requests sent again after a timeout"};
inline constexpr metrics::MetricInfo varbinds_metric{"amoskys_snmp_varbinds_total",
                                                     metrics::Kind::counter, "varbinds",
                                                     "Variable bindings received"};
inline constexpr metrics::MetricInfo metrics_metric{
    "amoskys_snmp_metrics_total", metrics::Kind::counter, "metrics", "Metric events made of them"};
inline constexpr metrics::MetricInfo missing_metric{
    "amoskys_snmp_missing_metrics_total", metrics::Kind::counter, "metrics",
    "Metrics of the profile that a device had no value for, counted at each poll"};
inline constexpr metrics::MetricInfo unreadable_metric{
    "amoskys_snmp_unreadable_metrics_total", metrics::Kind::counter, "metrics",
    "Metrics with values of another type than the profile says, counted at each poll"};
inline constexpr metrics::MetricInfo faults_metric{
    "amoskys_snmp_faults_total", metrics::Kind::counter, "faults",
    "Columns or scalars lost to a fault: not_increasing, too_many_rows, error_status, timeout, "
    "malformed",
    "fault"};
inline constexpr metrics::MetricInfo records_metric{"amoskys_snmp_records_total",
                                                    metrics::Kind::counter, "records",
                                                    "DeviceTelemetry records handed on"};
inline constexpr metrics::MetricInfo collected_bytes_metric{"amoskys_snmp_collected_bytes_total",
                                                            metrics::Kind::counter, "bytes",
                                                            "Serialised size of these records"};

inline constexpr metrics::MetricInfo shared_engines_metric{
    "amoskys_snmp_shared_engine_ids_total", metrics::Kind::counter, "polls",
    "Polls of devices that have the SNMPv3 engine id of another device"};

inline constexpr metrics::MetricInfo traps_metric{"amoskys_snmp_traps_total",
                                                  metrics::Kind::counter, "notifications",
                                                  "Traps and informs taken", "kind"};
inline constexpr metrics::MetricInfo traps_dropped_metric{
    "amoskys_snmp_traps_dropped_total", metrics::Kind::counter, "datagrams",
    "Traps not taken: malformed, wrong_community, not_authentic, not_in_time, not_a_trap, rate",
    "reason"};

inline constexpr metrics::MetricInfo all_metrics[] = {
    polls_metric,      devices_metric,  duration_metric, requests_metric,
    retries_metric,    varbinds_metric, metrics_metric,  missing_metric,
    unreadable_metric, faults_metric,   records_metric,  collected_bytes_metric};

}  // namespace amoskys::snmp
