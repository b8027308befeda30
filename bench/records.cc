#include "bench/records.h"

#include <array>

#include "bench/measure.h"
#include "core/base/clock.h"
#include "proto/universal_telemetry.pb.h"

namespace amoskys::bench {

namespace {

constexpr std::uint64_t devices = 50;
constexpr UnixNanos first_ns = 1'760'000'000'000'000'000;

struct Column {
    const char* name;
    const char* type;
    const char* unit;
};
constexpr std::array<Column, 10> columns{{{"ifInOctets", "COUNTER", "bytes"},
                                          {"ifOutOctets", "COUNTER", "bytes"},
                                          {"ifInUcastPkts", "COUNTER", "packets"},
                                          {"ifOutUcastPkts", "COUNTER", "packets"},
                                          {"ifInErrors", "COUNTER", "packets"},
                                          {"ifOutErrors", "COUNTER", "packets"},
                                          {"ifInDiscards", "COUNTER", "packets"},
                                          {"ifOutDiscards", "COUNTER", "packets"},
                                          {"ifSpeed", "GAUGE", "bits_per_second"},
                                          {"ifOperStatus", "GAUGE", ""}}};

messaging::DeviceTelemetry message(std::uint64_t number, std::size_t metrics) {
    messaging::DeviceTelemetry out;
    out.set_device_id("switch-" + std::to_string(number % devices));
    out.set_device_type("NETWORK");
    out.set_protocol("SNMP");
    out.set_collection_agent("amoskys-snmp");
    out.set_agent_version("0.1.0");
    out.set_timestamp_ns(first_ns + number * 1'000'000);
    out.set_collection_interval_ms(10'000);
    out.mutable_metadata()->set_ip_address("192.0.2." + std::to_string(number % devices + 1));
    out.mutable_metadata()->add_protocols("SNMP");
    for (std::size_t i = 0; i < metrics; ++i) {
        const Column& column = columns[i % columns.size()];
        auto& event = *out.add_events();
        event.set_event_type("METRIC");
        auto& data = *event.mutable_metric_data();
        data.set_metric_name(column.name);
        data.set_metric_type(column.type);
        data.set_unit(column.unit);
        data.set_value_kind(messaging::MetricData::NUMERIC);
        data.set_numeric_value(static_cast<double>(number * 7919 + i * 104'729));
        data.set_index(std::to_string(i / columns.size() + 1));
        (*data.mutable_labels())["source"] = "snmp";
    }
    out.set_batch_size(static_cast<std::uint32_t>(metrics));
    return out;
}

void add_signed(wire::EnvelopeBuilder& lane, wire::PayloadKind kind, const std::string& payload,
                Signed& out) {
    wire::BuildRequest request;
    request.kind = kind;
    request.payload = as_bytes(payload);
    request.ts_ns = system_clock().now_ns();
    out.envelopes.push_back(need(lane.build(request)));
    out.bytes += out.envelopes.back().size();
}

}  // namespace

std::string record(std::uint64_t number, std::size_t metrics) {
    return message(number, metrics).SerializeAsString();
}

Batch batch(std::uint64_t first_number) {
    messaging::TelemetryBatch all;
    all.set_batch_start_time_ns(first_ns + first_number * 1'000'000);
    Batch out;
    std::size_t bytes = 64;
    for (std::uint64_t number = first_number;; ++number) {
        auto next = message(number, record_metrics);
        bytes += next.ByteSizeLong() + 8;
        if (bytes > batch_bytes_max)
            break;
        *all.add_telemetry_records() = std::move(next);
        ++out.records;
    }
    all.set_batch_end_time_ns(first_ns + (first_number + out.records - 1) * 1'000'000);
    all.set_total_events(static_cast<std::uint32_t>(out.records * record_metrics));
    out.payload = all.SerializeAsString();
    return out;
}

Signed signed_batches(wire::EnvelopeBuilder& lane, std::size_t count) {
    Signed out;
    for (std::size_t i = 0; i < count; ++i) {
        const Batch next = batch(out.records);
        add_signed(lane, wire::PayloadKind::batch, next.payload, out);
        out.records += next.records;
    }
    return out;
}

Signed signed_records(wire::EnvelopeBuilder& lane, std::size_t count, std::size_t metrics) {
    Signed out;
    for (std::size_t i = 0; i < count; ++i) {
        add_signed(lane, wire::PayloadKind::device, record(i, metrics), out);
        ++out.records;
    }
    return out;
}

}  // namespace amoskys::bench
