#include "core/link/test/bus_fixture.h"

using namespace amoskys;
using namespace amoskys::link;
using namespace amoskys::link::test;
using amoskys::bus::ErrorFrame;
using messaging::UniversalAck;

namespace {

wire::Frame registration(Peer& peer, const std::string& device, bool update = false) {
    wire::Frame frame;
    frame.set_request_id(peer.next_id++);
    auto& to = update ? *frame.mutable_update_device() : *frame.mutable_register_device();
    to.set_device_id(device);
    to.add_supported_protocols("snmp");
    return frame;
}

wire::Frame ask(Peer& peer, const wire::Frame& frame) {
    peer.output();
    peer.send(frame);
    peer.commit();
    return peer.last();
}

}  // namespace

TEST_CASE("a registered device is there after a restart, and only its owner may change it") {
    Bus bus;
    {
        Peer peer(bus, 1);
        peer.hello("edge-1", "");
        const auto answer = ask(peer, registration(peer, "dev-1")).registration_answer();
        CHECK(answer.accepted());
        CHECK(answer.assigned_agent_id() == "edge-1");
        CHECK(answer.allowed_protocols(0) == "snmp");
    }
    bus.reopen();
    CHECK(bus.state->devices.active() == 1);
    Peer peer(bus, 2);
    peer.hello("edge-1", "");
    CHECK(ask(peer, registration(peer, "dev-1", true)).registration_answer().accepted());
    CHECK_FALSE(ask(peer, registration(peer, "dev-2", true)).registration_answer().accepted());

    bus.state->devices.put("dev-3", {"edge-9", 1, false, {}});
    const auto refused = ask(peer, registration(peer, "dev-3")).registration_answer();
    CHECK(refused.rejection_reason() == "device 'dev-3' was registered by another agent");

    wire::Frame leave;
    leave.set_request_id(peer.next_id++);
    leave.mutable_deregister_device()->set_device_id("dev-1");
    CHECK(ask(peer, leave).deregistration_answer().accepted());
    CHECK(bus.state->devices.active() == 1);
    leave.set_request_id(peer.next_id++);
    CHECK_FALSE(ask(peer, leave).deregistration_answer().accepted());
}

TEST_CASE("registering needs the permission, and answers only after the commit") {
    Bus bus(", permissions: [publish]");
    Peer peer(bus, 1);
    peer.hello("edge-1", "");
    CHECK(ask(peer, registration(peer, "dev-1")).error().code() == ErrorFrame::PERMISSION_DENIED);
    bus.set_trust("");
    Peer other(bus, 2);
    other.hello("edge-1", "");
    other.output();
    other.send(registration(other, "dev-1"));
    CHECK(other.output().empty());
    REQUIRE(other.commit());
    CHECK(other.last().registration_answer().accepted());
}

TEST_CASE("health tells the truth about log and admission") {
    Bus bus;
    Peer peer(bus, 1);
    peer.hello("edge-1", "");
    wire::Frame frame;
    frame.set_request_id(peer.next_id++);
    frame.mutable_health_request();
    CHECK(ask(peer, frame).health_answer().overall_status() == "HEALTHY");
    bus.state->admission = Refusal{wire::Status::retry, "disk almost full", "disk_full", {}};
    frame.set_request_id(peer.next_id++);
    auto health = ask(peer, frame).health_answer();
    CHECK(health.overall_status() == "DEGRADED");
    CHECK(health.component_health().at("admission").message() == "disk almost full");
    bus.state->log_trouble = "no space";
    frame.set_request_id(peer.next_id++);
    CHECK(ask(peer, frame).health_answer().overall_status() == "UNHEALTHY");
    frame.set_request_id(peer.next_id++);
    frame.mutable_health_request()->add_components("moon");
    CHECK(ask(peer, frame).error().code() == ErrorFrame::NOT_FOUND);
}

TEST_CASE("status and metrics count what was accepted") {
    Bus bus;
    Peer peer(bus, 1);
    peer.hello();
    auto lane = builder(bus);
    peer.publish(build(lane));
    REQUIRE(peer.commit());
    bus.clock.advance(std::chrono::seconds(7));
    wire::Frame frame;
    frame.set_request_id(peer.next_id++);
    frame.mutable_status_request()->set_include_metrics(true);
    const auto status = ask(peer, frame).status_answer();
    CHECK(status.uptime_seconds() == 7);
    CHECK(status.total_events_processed() == 1);
    CHECK(status.service_version() == "test");
    CHECK(status.service_metrics().at("log_records") == "1");
    wire::Frame metrics;
    metrics.set_request_id(peer.next_id++);
    metrics.mutable_metrics_request()->add_metric_names("amoskys_bus_accepted_envelopes_total");
    const auto answer = ask(peer, metrics).metrics_answer();
    REQUIRE(answer.metrics_size() == 1);
    CHECK(answer.metrics(0).data_points(0).value() == 1);
}

TEST_CASE("unknown requests are said to be that, and PING gets its PONG") {
    Bus bus;
    Peer peer(bus, 1);
    peer.hello();
    wire::Frame unknown;
    unknown.set_request_id(peer.next_id++);
    CHECK(ask(peer, unknown).error().code() == ErrorFrame::UNKNOWN_FRAME);
    wire::Frame ping;
    ping.set_request_id(peer.next_id++);
    ping.mutable_ping()->set_sent_time_ns(42);
    CHECK(ask(peer, ping).pong().ping_sent_time_ns() == 42);
    CHECK_FALSE(peer.session->closing());
}

TEST_CASE("a legacy envelope is accepted once, by an agent that may publish without sequence") {
    Bus bus(", algorithm: Ed25519, permissions: [publish, publish_unsequenced]");
    messaging::Envelope envelope;
    envelope.set_version("1.0");
    envelope.set_ts_ns(5);
    envelope.set_idempotency_key("k1");
    envelope.mutable_flow()->set_src_ip("10.0.0.1");
    const auto sign = [&] {
        envelope.clear_sig();
        const auto sig = bus.key->sign_bytes(as_bytes(envelope.SerializeAsString()));
        envelope.set_sig(to_string(sig));
        return envelope.SerializeAsString();
    };
    const auto stored = sign();
    Peer peer(bus, 1);
    peer.hello("edge-1", "");
    peer.output();
    auto id = peer.publish(stored, true);
    auto same_in_flight = peer.publish(stored, true);
    CHECK(peer.ack_of(same_in_flight).ack().status() == UniversalAck::RETRY);
    REQUIRE(peer.commit());
    CHECK(peer.ack_of(id).ack().status() == UniversalAck::OK);
    id = peer.publish(stored, true);
    CHECK_FALSE(peer.commit());
    CHECK(peer.ack_of(id).ack().status() == UniversalAck::OK);
    CHECK(bus.records() == 1);
    envelope.mutable_flow()->set_src_ip("10.0.0.2");
    id = peer.publish(sign(), true);
    CHECK(peer.ack_of(id).ack().reason() ==
          "idempotency_key was used for other content within the duplicate window");
    envelope.set_idempotency_key("k2");
    id = peer.publish(envelope.SerializeAsString(), true);
    CHECK(peer.ack_of(id).ack().status() == UniversalAck::SECURITY_VIOLATION);
    CHECK(bus.records() == 1);
}
