#include "core/link/server_session.h"

#include "core/link/test/bus_fixture.h"

using namespace amoskys;
using namespace amoskys::link;
using namespace amoskys::link::test;
using amoskys::bus::ErrorFrame;
using messaging::UniversalAck;

TEST_CASE("HELLO is answered with WELCOME, and a publish with OK only after its commit") {
    Bus bus;
    Peer peer(bus, 1);
    peer.hello();
    const auto welcome = peer.last();
    REQUIRE(welcome.has_welcome());
    CHECK(welcome.welcome().committed_epoch() == 0);
    CHECK(welcome.welcome().window().bytes_limit() >= 131072);
    CHECK(welcome.welcome().log_public_key().size() == 32);
    auto lane = builder(bus);
    const auto id = peer.publish(build(lane));
    CHECK(peer.output().empty());
    REQUIRE(peer.commit());
    const auto ack = peer.ack_of(id);
    CHECK(ack.ack().status() == UniversalAck::OK);
    CHECK(ack.ack().events_accepted() == 1);
    CHECK(ack.committed_sequence() == 1);
    CHECK(bus.records() == 1);
}

TEST_CASE("pipelined publishes are one write and one cumulative answer") {
    Bus bus;
    Peer peer(bus, 1);
    peer.hello();
    peer.output();
    auto lane = builder(bus);
    for (int i = 0; i < 5; ++i)
        peer.publish(build(lane));
    REQUIRE(peer.commit());
    const auto out = peer.output();
    REQUIRE(out.size() == 2);
    CHECK(out[1].has_credit());
    CHECK(out[0].request_id() == 0);
    CHECK(out[0].ack().first_request_id() == 2);
    CHECK(out[0].ack().last_request_id() == 6);
    CHECK(out[0].ack().ack().events_accepted() == 5);
}

TEST_CASE(
    "the lane goes on after a restart, and an old envelope is a duplicate that is stored once") {
    Bus bus;
    auto lane = builder(bus);
    const auto first = build(lane), second = build(lane);
    {
        Peer peer(bus, 1);
        peer.hello();
        peer.publish(first);
        REQUIRE(peer.commit());
    }
    bus.reopen();
    Peer peer(bus, 2);
    peer.hello();
    const auto welcome = peer.last().welcome();
    CHECK(welcome.committed_epoch() == 1000);
    CHECK(welcome.committed_sequence() == 1);
    CHECK(welcome.head_sig().size() == 64);
    const auto again = peer.publish(first);
    const auto next = peer.publish(second);
    REQUIRE(peer.commit());
    const auto ack = peer.ack_of(again);
    CHECK(ack.ack().status() == UniversalAck::OK);
    CHECK(ack.last_request_id() == next);
    CHECK(bus.records() == 2);
    CHECK(bus.counter("amoskys_bus_duplicate_envelopes_total") == 1);
}

TEST_CASE("whatever follows a refused sequence waits for it, unverified") {
    Bus bus;
    Peer peer(bus, 1);
    peer.hello();
    auto lane = builder(bus);
    const auto first = build(lane), second = build(lane), third = build(lane);
    auto broken = first;
    broken[broken.size() / 2] ^= 1;
    peer.output();
    const auto a = peer.publish(second);
    auto ack = peer.ack_of(a);
    CHECK(ack.ack().status() == UniversalAck::RETRY);
    CHECK(ack.ack().reason() == "waiting for sequence 1");
    CHECK(ack.expected_sequence() == 1);
    CHECK_FALSE(peer.commit());
    CHECK(bus.records() == 0);
}

TEST_CASE("after a failed commit all of it is answered RETRY and the expected head falls back") {
    Bus bus;
    Peer peer(bus, 1);
    peer.hello();
    auto lane = builder(bus);
    const auto first = build(lane), second = build(lane), third = build(lane);
    peer.output();
    const auto a = peer.publish(first), b = peer.publish(second);
    peer.session->flush();
    auto write = peer.session->take_write();
    REQUIRE(write.has_value());
    const auto c = peer.publish(third);  // collects behind the write
    peer.session->on_committed(make_error(ErrorKind::io, "wal_disk_full", "no space"));
    std::map<std::uint64_t, amoskys::bus::Ack> acks;
    for (const auto& frame : peer.output())
        if (frame.has_ack())
            acks[frame.request_id()] = frame.ack();
    for (const auto id : {a, b, c}) {
        INFO(id);
        CHECK(acks[id].ack().status() == UniversalAck::RETRY);
        CHECK(acks[id].ack().reason() == "the log cannot be written: no space");
    }
    CHECK(bus.records() == 0);
    const auto again = peer.publish(first);
    REQUIRE(peer.commit());
    CHECK(peer.ack_of(again).ack().status() == UniversalAck::OK);
    CHECK(bus.records() == 1);
}

TEST_CASE("a full write queue is OVERLOAD with a hint") {
    Bus bus;
    Peer peer(bus, 1);
    peer.hello();
    auto lane = builder(bus);
    const auto id = peer.publish(build(lane));
    peer.session->flush();
    REQUIRE(peer.session->take_write().has_value());
    peer.session->on_write_refused();
    const auto ack = peer.ack_of(id);
    CHECK(ack.ack().status() == UniversalAck::OVERLOAD);
    CHECK(ack.ack().backoff_hint_ms() > 0);
}

TEST_CASE("the newer of two sessions of a lane wins, once the older one's write has ended") {
    Bus bus;
    auto lane = builder(bus);
    Peer older(bus, 1), newer(bus, 2);
    bus.state->evict = [&](std::uint64_t id, const std::string& reason) {
        CHECK(id == 1);
        older.session->evict(reason);
    };
    older.hello();
    older.publish(build(lane));
    older.output();
    older.session->flush();
    auto write = older.session->take_write();
    REQUIRE(write.has_value());
    newer.hello();
    CHECK(newer.output().empty());  // WELCOME waits for what the lane's head will be
    CHECK(older.session->closing());
    CHECK(older.last().error().code() == ErrorFrame::LANE_BUSY);
    wal::Group group;
    for (const auto& record : write->records)
        group.records.push_back(
            {record.kind, record.flags, as_bytes(record.stored), record.digest});
    group.states = write->states;
    older.session->on_committed(bus.log->append(group));
    const auto welcome = newer.last();
    REQUIRE(welcome.has_welcome());
    CHECK(welcome.welcome().committed_sequence() == 1);
}

TEST_CASE(
    "an agent without permission, a foreign name and an unknown agent each get their own refusal") {
    const auto refusal = [](Bus& bus, const std::string& cn, const std::string& agent) {
        Peer peer(bus, 1, cn);
        peer.hello(agent);
        CHECK(peer.session->closing());
        return peer.last().error();
    };
    Bus bus;
    auto error = refusal(bus, "stranger", "stranger");
    CHECK(error.code() == ErrorFrame::IDENTITY_REFUSED);
    CHECK(error.reason() == "agent 'stranger' is not in the trust map");
    error = refusal(bus, "edge-1", "edge-2");
    CHECK(error.code() == ErrorFrame::IDENTITY_REFUSED);
    CHECK(error.reason() == "agent_id 'edge-2' is not the certificate's CN 'edge-1'");
    error = refusal(bus, "", "edge-1");
    CHECK(error.code() == ErrorFrame::IDENTITY_REFUSED);
    CHECK(bus.state->audits.size() == 3);
    CHECK(bus.counter("amoskys_bus_refused_connections_total", "unknown_agent") == 1);
    CHECK(bus.counter("amoskys_bus_refused_connections_total", "agent_id_mismatch") == 1);
    Bus mute(", permissions: [subscribe]");
    CHECK(refusal(mute, "edge-1", "edge-1").code() == ErrorFrame::PERMISSION_DENIED);
    CHECK(mute.counter("amoskys_bus_refused_connections_total", "no_publish_permission") == 1);
}

namespace {

struct Refused {
    UniversalAck ack;
    double counted;
};
Refused publish_one(Bus& bus, const std::string& envelope, const std::string& label) {
    Peer peer(bus, 1);
    peer.hello();
    peer.output();
    const auto id = peer.publish(envelope);
    Refused out{peer.ack_of(id).ack(),
                bus.counter("amoskys_bus_rejected_envelopes_total", "\"" + label + "\"")};
    CHECK_FALSE(peer.session->closing());
    CHECK_FALSE(peer.commit());
    CHECK(bus.records() == 0);
    return out;
}

}  // namespace

TEST_CASE(
    "each kind of bad envelope has its own status, reason and metric, and the session goes on") {
    Bus bus;
    auto lane = builder(bus);
    const auto good = build(lane);

    SECTION("one flipped bit in the payload") {
        auto bad = good;
        bad[bad.find("sysUpTime")] ^= 1;
        const auto out = publish_one(bus, bad, "bad_signature");
        CHECK(out.ack.status() == UniversalAck::SECURITY_VIOLATION);
        CHECK(out.counted == 1);
        CHECK(bus.state->audits.size() == 1);
    }
    SECTION("another key") {
        wire::EnvelopeBuilder other(
            "edge-1", "snmp",
            std::make_shared<const crypto::SigningKey>(crypto::SigningKey::from_seed(Bytes(32, 8))),
            {{1000}, {0}, {}});
        const auto out = publish_one(bus, build(other), "unknown_key");
        CHECK(out.ack.status() == UniversalAck::SECURITY_VIOLATION);
        CHECK(out.counted == 1);
    }
    SECTION("another agent's name inside") {
        auto other = builder(bus, "snmp", {{1000}, {0}, {}}, "edge-2");
        const auto out = publish_one(bus, build(other), "agent_id_mismatch");
        CHECK(out.ack.status() == UniversalAck::SECURITY_VIOLATION);
        CHECK(out.counted == 1);
    }
    SECTION("another lane") {
        auto other = builder(bus, "proc");
        const auto out = publish_one(bus, build(other), "lane_mismatch");
        CHECK(out.ack.status() == UniversalAck::INVALID);
        CHECK(out.counted == 1);
    }
    SECTION("the wrong algorithm") {
        bus.set_trust(", algorithm: Ed25519");
        const auto out = publish_one(bus, good, "algorithm");
        CHECK(out.ack.status() == UniversalAck::SECURITY_VIOLATION);
        CHECK(out.counted == 1);
    }
    SECTION("not the strict form") {
        messaging::UniversalEnvelope envelope;
        REQUIRE(envelope.ParseFromString(good));
        envelope.set_retry_count(1);
        const auto out = publish_one(bus, envelope.SerializeAsString(), "not_canonical");
        CHECK(out.ack.status() == UniversalAck::INVALID);
        CHECK(out.ack.reason() == "non-canonical envelope (field 15)");
        CHECK(out.counted == 1);
    }
    SECTION("a malformed payload") {
        auto other = builder(bus);
        const auto out = publish_one(bus, build(other, "\x0a\xff"), "malformed_payload");
        CHECK(out.ack.status() == UniversalAck::INVALID);
        CHECK(out.counted == 1);
    }
    SECTION("nothing at all") {
        const auto out = publish_one(bus, "", "empty");
        CHECK(out.ack.status() == UniversalAck::INVALID);
        CHECK(out.ack.reason() == "empty envelope");
        CHECK(out.counted == 1);
    }
    SECTION("one byte more than the limit") {
        const auto out = publish_one(bus, std::string(131073, 'x'), "too_large");
        CHECK(out.ack.status() == UniversalAck::INVALID);
        CHECK(out.ack.reason() == "Envelope too large (131073 > 131072 bytes)");
        CHECK(out.counted == 1);
    }
    SECTION("a device that is not the agent's") {
        bus.set_trust(", devices: [\"10.*\"]");
        const auto out = publish_one(bus, good, "device_denied");
        CHECK(out.ack.status() == UniversalAck::SECURITY_VIOLATION);
        CHECK(out.counted == 1);
    }
    SECTION("no sequence without the permission") {
        auto other = builder(bus);
        messaging::UniversalEnvelope envelope;
        REQUIRE(envelope.ParseFromString(build(other)));
        envelope.clear_sequence();
        const auto out = publish_one(bus, envelope.SerializeAsString(), "unsequenced_denied");
        CHECK(out.ack.status() == UniversalAck::SECURITY_VIOLATION);
        CHECK(out.counted == 1);
    }
}

TEST_CASE("an envelope of exactly the limit is accepted") {
    Bus bus;
    Peer peer(bus, 1);
    peer.hello();
    auto probe = builder(bus);
    std::size_t pad = 130000;
    pad += 131072 - build(probe, payload("dev-1", pad)).size();
    auto lane = builder(bus);
    const auto envelope = build(lane, payload("dev-1", pad));
    REQUIRE(envelope.size() == 131072);
    const auto id = peer.publish(envelope);
    REQUIRE(peer.commit());
    CHECK(peer.ack_of(id).ack().status() == UniversalAck::OK);
}

TEST_CASE("a sequence used again with other content is a violation, also after a restart") {
    Bus bus;
    auto lane = builder(bus), other = builder(bus);
    {
        Peer peer(bus, 1);
        peer.hello();
        peer.publish(build(lane));
        REQUIRE(peer.commit());
    }
    const bool restart = GENERATE(false, true);
    if (restart)
        bus.reopen();
    Peer peer(bus, 2);
    peer.hello();
    peer.output();
    const auto id = peer.publish(build(other, payload("dev-2")));
    const auto ack = peer.ack_of(id).ack();
    CHECK(ack.status() == UniversalAck::SECURITY_VIOLATION);
    CHECK(ack.reason().find("sequence reused") != std::string::npos);
    CHECK(bus.counter("amoskys_bus_rejected_envelopes_total", "sequence_reused") == 1);
    CHECK(bus.records() == 1);
}

TEST_CASE("a new epoch that is not linked is accepted with an audit record in the same commit") {
    Bus bus;
    auto lane = builder(bus), reset = builder(bus, "snmp", {{2000}, {0}, {}});
    Peer peer(bus, 1);
    peer.hello();
    peer.publish(build(lane));
    REQUIRE(peer.commit());
    const auto id = peer.publish(build(reset));
    REQUIRE(peer.commit());
    const auto ack = peer.ack_of(id);
    CHECK(ack.ack().status() == UniversalAck::OK);
    CHECK(ack.committed_epoch() == 2000);
    CHECK(bus.records() == 3);
    CHECK(bus.counter("amoskys_bus_epoch_resets_total", "no") == 1);
}

TEST_CASE("an agent over its rate is told to wait, and goes on afterwards") {
    Bus bus(", rate_limit: 1");
    Peer peer(bus, 1);
    peer.hello();
    auto lane = builder(bus);
    for (int i = 0; i < 10; ++i)
        peer.publish(build(lane));
    REQUIRE(peer.commit());
    peer.output();
    const auto next = build(lane);
    auto id = peer.publish(next);
    const auto ack = peer.ack_of(id).ack();
    CHECK(ack.status() == UniversalAck::QUOTA_EXCEEDED);
    CHECK(ack.backoff_hint_ms() == 1000);
    bus.clock.advance(std::chrono::milliseconds(1001));
    id = peer.publish(next);
    REQUIRE(peer.commit());
    CHECK(peer.ack_of(id).ack().status() == UniversalAck::OK);
}

TEST_CASE("more than the credit ends the session") {
    Bus bus;
    Peer peer(bus, 1);
    peer.hello();
    auto lane = builder(bus);
    for (int i = 0; i < 101; ++i)
        peer.publish(build(lane));
    CHECK(peer.session->closing());
    CHECK(peer.last().error().code() == ErrorFrame::CREDIT_EXCEEDED);
}

TEST_CASE("credit is renewed as envelopes are answered, without an end") {
    Bus bus;
    Peer peer(bus, 1);
    peer.hello();
    auto limit = peer.last().welcome().window().envelopes_limit();
    auto lane = builder(bus);
    std::uint64_t sent = 0;
    for (int round = 0; round < 20; ++round) {
        while (sent < limit) {
            peer.publish(build(lane));
            ++sent;
        }
        REQUIRE(peer.commit());
        for (const auto& frame : peer.output())
            if (frame.has_credit())
                limit = frame.credit().envelopes_limit();
        REQUIRE(limit > sent);
    }
    CHECK_FALSE(peer.session->closing());
}

TEST_CASE("time limits: no HELLO, silence with a PING before, and a lane's receipt") {
    Bus bus;
    Peer late(bus, 1);
    bus.clock.advance(std::chrono::seconds(5));
    late.session->tick();
    CHECK(late.last().error().code() == ErrorFrame::TIMEOUT);

    Peer peer(bus, 2);
    peer.hello();
    auto lane = builder(bus);
    peer.publish(build(lane));
    REQUIRE(peer.commit());
    peer.output();
    bus.clock.advance(std::chrono::seconds(30));
    peer.session->tick();
    const auto out = peer.output();
    REQUIRE(out.size() == 2);
    CHECK(out[0].has_ping());
    REQUIRE(out[1].has_receipt());
    auto receipt = out[1].receipt();
    CHECK(receipt.last_sequence() == 1);
    CHECK(receipt.tree_size() == 1);
    const auto sig = receipt.sig();
    receipt.clear_sig();
    CHECK(crypto::verify_digest(bus.state->log_key->public_key(), crypto::receipt_tag,
                                crypto::sha256(as_bytes(receipt.SerializeAsString())),
                                as_bytes(sig)));
    bus.clock.advance(std::chrono::seconds(270));
    peer.session->tick();
    CHECK(peer.session->closing());
}

TEST_CASE("DRAIN answers what is with the log, then closes") {
    Bus bus;
    Peer peer(bus, 1);
    peer.hello();
    auto lane = builder(bus);
    const auto id = peer.publish(build(lane));
    peer.session->flush();
    peer.session->drain("the bus is stopping");
    CHECK_FALSE(peer.session->closing());
    const auto late = peer.publish(build(lane));
    auto write = peer.session->take_write();
    REQUIRE(write.has_value());
    wal::Group group;
    group.states = write->states;
    peer.session->on_committed(bus.log->append(group));
    CHECK(peer.session->closing());
    std::map<std::uint64_t, int> status;
    bool drained = false;
    for (const auto& frame : peer.output()) {
        drained = drained || frame.has_drain();
        if (frame.has_ack())
            status[frame.request_id()] = frame.ack().ack().status();
    }
    CHECK(drained);
    CHECK(status[id] == UniversalAck::OK);
    CHECK(status[late] == UniversalAck::RETRY);
}

TEST_CASE("a revoked agent's live session is closed when the trust map changes") {
    Bus bus;
    Peer peer(bus, 1);
    peer.hello();
    bus.set_trust(", revoked: true");
    peer.session->recheck_trust();
    CHECK(peer.session->closing());
    CHECK(peer.last().error().code() == ErrorFrame::IDENTITY_REFUSED);
}

TEST_CASE("frames out of place end the session with their own code") {
    Bus bus;
    SECTION("PUBLISH before HELLO") {
        Peer peer(bus, 1);
        peer.publish("x");
        CHECK(peer.last().error().code() == ErrorFrame::HELLO_EXPECTED);
    }
    SECTION("a second HELLO") {
        Peer peer(bus, 1);
        peer.hello();
        peer.hello();
        CHECK(peer.last().error().code() == ErrorFrame::HELLO_EXPECTED);
    }
    SECTION("a frame that does not parse") {
        Peer peer(bus, 1);
        peer.hello();
        peer.session->on_frame(as_bytes("\xff\xff\xff"));
        CHECK(peer.last().error().code() == ErrorFrame::MALFORMED_FRAME);
    }
    SECTION("a request_id that does not ascend") {
        Peer peer(bus, 1);
        peer.hello();
        peer.next_id = 1;
        peer.publish("x");
        CHECK(peer.last().error().code() == ErrorFrame::INVALID_REQUEST);
    }
    SECTION("no common version") {
        Peer peer(bus, 1);
        wire::Frame frame;
        frame.mutable_hello()->add_protocol_versions(9);
        frame.mutable_hello()->set_agent_id("edge-1");
        peer.send(frame);
        CHECK(peer.last().error().code() == ErrorFrame::UNSUPPORTED_VERSION);
    }
    CHECK(bus.records() == 0);
}
