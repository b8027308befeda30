// The golden vectors of proto/golden: made here, compared with the files byte for byte.
// AMOSKYS_UPDATE_GOLDEN=1 writes them anew; proto/golden/check.py verifies them in Python.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>

#include "core/base/file.h"
#include "core/crypto/hash.h"
#include "core/json/json.h"
#include "core/wire/builder.h"
#include "core/wire/frame.h"
#include "core/wire/legacy.h"
#include "core/wire/test/test_key.h"

using namespace amoskys;
using namespace amoskys::wire;
using amoskys::wire::test::test_key;

namespace {

constexpr UnixNanos ts = 1764821328902984000;
constexpr Epoch epoch{1764821328902};
const fs::path folder = fs::path(AMOSKYS_SOURCE_DIR) / "proto" / "golden";

struct Vector {
    std::string file, message, bytes;
    Json more = Json::object();  // further keys of the manifest
};

messaging::DeviceTelemetry device() {
    messaging::DeviceTelemetry out;
    out.set_device_id("router-1");
    out.set_device_type("NETWORK");
    out.set_protocol("SNMP");
    out.set_timestamp_ns(ts);
    out.set_collection_agent("snmp");
    auto* in = out.add_events()->mutable_metric_data();
    in->set_metric_name("ifHCInOctets");
    in->set_metric_type("COUNTER");
    in->set_numeric_value(9007199254740993.0);
    in->set_counter_value(9007199254740993);
    in->set_unit("bytes");
    in->set_index("2");
    (*in->mutable_labels())["source"] = "snmp";
    auto* text = out.add_events();
    text->set_event_timestamp_ns(ts - 1);
    text->mutable_metric_data()->set_metric_name("sysDescr");
    text->mutable_metric_data()->set_string_value("Linux \xc3\xa4");
    return out;
}

messaging::ProcessEvent process() {
    messaging::ProcessEvent out;
    out.set_pid(42);
    out.set_ppid(1);
    out.set_exe("/usr/sbin/sshd");
    out.add_args("sshd");
    out.add_args("-D");
    out.set_uid(1000);
    out.set_kind("EXIT");
    out.set_exit_code(-9);
    out.set_start_ticks(0);
    out.set_cpu_percent(12.5);
    return out;
}

messaging::FlowEvent flow() {
    messaging::FlowEvent out;
    out.set_src_ip("192.0.2.1");
    out.set_dst_ip("2001:db8::1");
    out.set_src_port(50000);
    out.set_dst_port(443);
    out.set_protocol("TCP");
    out.set_bytes_sent(1000);
    out.set_bytes_recv(200000);
    out.set_flags(27);
    out.set_start_time(ts - 5000000000);
    out.set_end_time(ts);
    out.set_packets_sent(0);
    out.set_conn_state("SF");
    return out;
}

messaging::TelemetryBatch batch() {
    messaging::TelemetryBatch out;
    *out.add_telemetry_records() = device();
    *out.add_telemetry_records() = device();
    out.mutable_telemetry_records(1)->set_device_id("router-2");
    out.set_total_events(6);
    *out.add_processes() = process();
    *out.add_flows() = flow();
    out.set_device_id("host-1");
    return out;
}

Json describe(std::string_view stored, std::string_view algorithm) {
    const auto cut = cut_envelope(as_bytes(stored));
    REQUIRE(cut.has_value());
    Json out = Json::object();
    out["algorithm"] = algorithm;
    out["canonical_bytes"] = canonical_bytes(*cut).size();
    out["canonical_sha256"] = to_hex(canonical_digest(*cut));
    out["signature"] = to_hex(cut->signature);
    out["sequence"] = cut->sequence.value;
    out["events"] = cut->events;
    return out;
}

std::string sign_again(messaging::UniversalEnvelope m, crypto::Algorithm algorithm) {
    m.set_signing_algorithm(std::string(crypto::algorithm_name(algorithm)));
    m.set_sig(std::string(64, '\0'));
    const std::string blank = m.SerializeAsString();
    const auto cut = cut_envelope(as_bytes(blank));
    REQUIRE(cut.has_value());
    const Signature sig =
        algorithm == crypto::Algorithm::ed25519
            ? test_key()->sign_bytes(as_bytes(canonical_bytes(*cut)))
            : test_key()->sign_digest(crypto::envelope_tag, canonical_digest(*cut));
    m.set_sig(std::string(as_text(sig)));
    return m.SerializeAsString();
}

// A chain of envelopes of every payload, a gap marker and its successor.
void add_envelopes(std::vector<Vector>& out) {
    EnvelopeBuilder builder("edge-1", "snmp", test_key(), {epoch, {}, {}});
    const auto add = [&](const std::string& name, const std::string& stored,
                         std::string_view algorithm = "Ed25519-SHA256") {
        out.push_back({"envelope_" + name + ".bin", "messaging.UniversalEnvelope", stored,
                       describe(stored, algorithm)});
    };
    const auto build = [&](PayloadKind kind, const google::protobuf::Message& payload) {
        const std::string bytes = payload.SerializeAsString();
        BuildRequest request;
        request.kind = kind;
        request.payload = as_bytes(bytes);
        request.ts_ns = ts + builder.state().last_sequence.value;
        request.idempotency_key = "key-" + std::to_string(builder.state().last_sequence.value);
        return *builder.build(request);
    };
    const std::string first = build(PayloadKind::device, device());
    add("device", first);
    add("batch", build(PayloadKind::batch, batch()));
    add("flow", build(PayloadKind::flow, flow()));
    add("process", build(PayloadKind::process, process()));

    EnvelopeBuilder::Gap gap;
    gap.first = {5};
    gap.last = {6};
    gap.envelopes = 2;
    gap.events = 2;
    gap.reason = "spool_full";
    gap.prev_signature = builder.state().last_signature;
    gap.from_ns = ts + 4;
    gap.to_ns = ts + 5;
    build(PayloadKind::flow, flow());
    build(PayloadKind::flow, flow());
    gap.last_signature = builder.state().last_signature;
    add("gap", *builder.build_gap(gap, ts + 6));
    add("after_gap", build(PayloadKind::flow, flow()));

    messaging::UniversalEnvelope every;
    REQUIRE(every.ParseFromString(first));
    every.set_prev_sig(std::string(64, 'p'));
    every.set_certificate_chain("-----BEGIN CERTIFICATE-----");
    every.add_processing_hints("hint");
    every.add_processing_hints("");
    every.set_target_processors("etl");
    every.set_max_processing_time_ns(1000);
    every.set_requires_acknowledgment(true);
    every.set_sequence(8);
    every.GetReflection()->MutableUnknownFields(&every)->AddLengthDelimited(150,
                                                                            "of a later version");
    add("every_field", sign_again(every, crypto::Algorithm::ed25519_sha256));
    add("ed25519", sign_again(every, crypto::Algorithm::ed25519), "Ed25519");
}

void add_legacy(std::vector<Vector>& out) {
    messaging::Envelope v1;
    v1.set_version("v1");
    v1.set_ts_ns(123456789);
    v1.set_idempotency_key("abc");
    auto* f = v1.mutable_flow();
    f->set_src_ip("1.1.1.1");
    f->set_dst_ip("8.8.8.8");
    f->set_src_port(1111);
    f->set_dst_port(53);
    f->set_protocol("UDP");
    f->set_bytes_sent(10);
    f->set_bytes_recv(20);
    f->set_start_time(1);
    f->set_end_time(2);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    f->set_bytes_tx(1);
    f->set_bytes_rx(2);
    f->set_proto("UDP");
    f->set_duration_ms(3);
#pragma GCC diagnostic pop
    const std::string bytes = encode_legacy(v1);
    Json more = Json::object();
    more["signature"] = to_hex(test_key()->sign_bytes(as_bytes(legacy_signed_bytes(v1))));
    out.push_back({"legacy_envelope_v1.bin", "messaging.Envelope", bytes, more});
    v1.set_sig(std::string(as_text(test_key()->sign_bytes(as_bytes(bytes)))));
    out.push_back({"legacy_envelope_signed.bin", "messaging.Envelope", encode_legacy(v1), more});
}

// The two messages by which the earlier system measured its losses; its mock signature is no key's.
void add_audit_messages(std::vector<Vector>& out) {
    const std::string stamp = std::to_string(ts);
    messaging::UniversalEnvelope m;
    m.set_ts_ns(ts);
    m.set_sig("mock_signature_bytes_for_testing");
    m.set_idempotency_key("test-device-001-" + stamp);
    auto* d = m.mutable_device_telemetry();
    d->set_device_id("test-device-001");
    d->set_device_type("ENDPOINT");
    d->set_protocol("SNMP");
    d->set_timestamp_ns(ts);
    d->set_collection_agent("test-agent");
    d->set_agent_version("1.0.0");
    d->mutable_metadata()->set_manufacturer("Test Manufacturer");
    d->mutable_metadata()->set_model("Test Model");
    d->mutable_metadata()->set_firmware_version("1.0.0");
    d->mutable_metadata()->add_protocols("SNMP");
    const auto metric = [&](const char* name, double value, const char* unit) {
        auto* event = d->add_events();
        event->set_event_type("METRIC");
        event->set_severity("INFO");
        event->set_event_timestamp_ns(ts);
        event->mutable_metric_data()->set_metric_name(name);
        event->mutable_metric_data()->set_metric_type("GAUGE");
        event->mutable_metric_data()->set_numeric_value(value);
        event->mutable_metric_data()->set_unit(unit);
    };
    metric("sysUpTime", 12345678, "ticks");
    metric("cpuUtilization", 45.6, "percent");
    metric("memoryUsage", 2048, "MB");
    out.push_back({"audit_device.bin", "messaging.UniversalEnvelope", m.SerializeAsString()});

    m.set_idempotency_key("test-process-12345-" + stamp);
    auto* p = m.mutable_process();
    p->set_pid(12345);
    p->set_ppid(1);
    p->set_exe("/usr/bin/test_process");
    p->add_args("--arg1");
    p->add_args("--arg2");
    p->set_start_ts_ns(ts);
    p->set_uid(501);
    p->set_gid(20);
    p->set_cgroup("/system.slice/test.service");
    out.push_back({"audit_process.bin", "messaging.UniversalEnvelope", m.SerializeAsString()});
}

bus::Receipt receipt() {
    bus::Receipt out;
    const auto log_key = test_key(32);
    out.set_log_key_id(log_key->id());
    out.set_agent_id("edge-1");
    out.set_lane("snmp");
    out.set_epoch(epoch.value);
    out.set_last_sequence(7);
    out.set_head_digest(std::string(32, 'd'));
    out.set_tree_size(100);
    out.set_root(std::string(32, 'r'));
    out.set_time_ns(ts);
    const std::string body = out.SerializeAsString();
    const Signature sig = log_key->sign_digest(crypto::receipt_tag, crypto::sha256(as_bytes(body)));
    out.set_sig(std::string(as_text(sig)));
    return out;
}

bus::Head head() {
    bus::Head out;
    out.set_key_id(test_key()->id());
    out.set_agent_id("edge-1");
    out.set_lane("snmp");
    out.set_epoch(epoch.value);
    out.set_last_sequence(7);
    out.set_head_digest(std::string(32, 'd'));
    out.set_time_ns(ts);
    out.set_interval_ms(30000);
    const std::string body = out.SerializeAsString();
    const Signature sig = test_key()->sign_digest(crypto::head_tag, crypto::sha256(as_bytes(body)));
    out.set_sig(std::string(as_text(sig)));
    return out;
}

// One small frame for each body, with the first field that it has.
void add_frames(std::vector<Vector>& out) {
    const std::string device_envelope = out.front().bytes;
    const std::string legacy = out[8].bytes;
    const auto* oneof = Frame::descriptor()->oneof_decl(0);
    for (int i = 0; i < oneof->field_count(); ++i) {
        const auto& field = *oneof->field(i);
        Frame frame;
        frame.set_request_id(static_cast<std::uint64_t>(300 + i));
        auto* body = frame.GetReflection()->MutableMessage(&frame, &field);
        if (field.number() == Frame::kPublishFieldNumber) {
            frame.mutable_publish()->set_envelope(device_envelope);
        } else if (field.number() == Frame::kPublishLegacyFieldNumber) {
            frame.mutable_publish_legacy()->set_envelope(legacy);
        } else if (field.number() == Frame::kDeliverFieldNumber) {
            frame.mutable_deliver()->set_sequence(12);
            frame.mutable_deliver()->set_received_time_ns(ts);
            frame.mutable_deliver()->set_kind(bus::RECORD_KIND_UNIVERSAL);
            frame.mutable_deliver()->set_envelope(device_envelope);
        } else if (field.number() == Frame::kReceiptFieldNumber) {
            *frame.mutable_receipt() = receipt();
        } else if (field.number() == Frame::kHeadFieldNumber) {
            frame.clear_request_id();
            *frame.mutable_head() = head();
        } else if (field.number() == Frame::kAckFieldNumber) {
            frame.clear_request_id();
            frame.mutable_ack()->set_first_request_id(1);
            frame.mutable_ack()->set_last_request_id(200);
            frame.mutable_ack()->mutable_ack()->set_events_accepted(800);
        } else {
            for (int n = 0; n < body->GetDescriptor()->field_count(); ++n) {
                const auto& inner = *body->GetDescriptor()->field(n);
                if (inner.is_repeated())
                    continue;
                if (inner.cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING)
                    body->GetReflection()->SetString(body, &inner, "text");
                else if (inner.cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_UINT64)
                    body->GetReflection()->SetUInt64(body, &inner, ts);
            }
        }
        out.push_back({"frame_" + field.name() + ".bin", "amoskys.bus.Frame", encode_frame(frame)});
    }
}

std::vector<Vector> vectors() {
    std::vector<Vector> out;
    add_envelopes(out);
    add_legacy(out);
    add_audit_messages(out);
    add_frames(out);
    return out;
}

std::string manifest(const std::vector<Vector>& all) {
    Json out = Json::object();
    out["schema"] = "amoskys.golden/1";
    out["seed"] = to_hex(test::counting_seed());
    out["public_key"] = to_hex(test_key()->public_key());
    out["key_id"] = test_key()->id();
    out["log_seed"] = to_hex(test::counting_seed(32));
    out["log_public_key"] = to_hex(test_key(32)->public_key());
    out["envelope_tag"] = crypto::envelope_tag;
    out["receipt_tag"] = crypto::receipt_tag;
    out["head_tag"] = crypto::head_tag;
    out["vectors"] = Json::array();
    for (const Vector& vector : all) {
        Json row = Json::object();
        row["file"] = vector.file;
        row["message"] = vector.message;
        row["bytes"] = vector.bytes.size();
        row["sha256"] = to_hex(crypto::sha256(as_bytes(vector.bytes)));
        row.update(vector.more);
        out["vectors"].push_back(row);
    }
    return out.dump(2) + "\n";
}

}  // namespace

TEST_CASE("golden vectors are what this code writes") {
    const bool update = std::getenv("AMOSKYS_UPDATE_GOLDEN") != nullptr;
    auto all = vectors();
    all.push_back({"manifest.json", "", manifest(all)});
    for (const Vector& vector : all) {
        INFO(vector.file);
        if (update)
            REQUIRE(write_file_atomic(folder / vector.file, vector.bytes, 0644).has_value());
        const auto stored = read_file(folder / vector.file, 1U << 20U);
        REQUIRE(stored.has_value());
        CHECK(*stored == vector.bytes);
    }
}

TEST_CASE("golden vectors hold the earlier system's published digests") {
    std::map<std::string, std::string> digests;
    for (const Vector& vector : vectors())
        digests[vector.file] = to_hex(crypto::sha256(as_bytes(vector.bytes)));
    CHECK(digests["legacy_envelope_v1.bin"] ==
          "1889f03ed66dda4629a518d2f30d924c6902af25360dea1956f3cb0424f5e710");
    CHECK(digests["audit_device.bin"] ==
          "9931f8d22b7f21ef1c7bb967d5ee1b2443a1b83364344f7c8da18c78d9717d47");
    CHECK(digests["audit_process.bin"] ==
          "1a45b98f46dc52f818aeff50fc174f07390f956c18397c59aa6a49e7b2946100");
}
