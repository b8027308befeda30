// HEAD at the bus: kept durably, refused where it does not fit; and ACKs of envelopes that ask for
// one of their own.
#include "core/link/test/bus_fixture.h"
#include "core/wire/statement.h"

using namespace amoskys;
using namespace amoskys::link;
using namespace amoskys::link::test;
using namespace std::chrono_literals;

namespace {

wire::Frame head_frame(const Bus& bus, std::uint64_t last = 3, const std::string& lane = "snmp") {
    wire::Frame frame;
    auto& head = *frame.mutable_head();
    head.set_key_id(bus.key->id());
    head.set_agent_id("edge-1");
    head.set_lane(lane);
    head.set_epoch(1000);
    head.set_last_sequence(last);
    head.set_head_digest(std::string(32, 'd'));
    head.set_time_ns(1);
    head.set_interval_ms(30'000);
    wire::sign(head, *bus.key);
    return frame;
}

}  // namespace

TEST_CASE("a signed head is kept in the log's state and counted, also without any envelope") {
    Bus bus;
    {
        Peer peer(bus, 1);
        peer.hello();
        peer.send(head_frame(bus));
        REQUIRE(peer.commit());
    }
    const auto state = bus.log->state("head/edge-1/snmp");
    REQUIRE(state.has_value());
    REQUIRE(state->has_value());
    const auto kept = wire::decode_kept_head(**state);
    REQUIRE(kept.has_value());
    CHECK(kept->head.last_sequence() == 3);
    CHECK(kept->received_ns == bus.clock.now_ns());
    CHECK(bus.records() == 0);
    CHECK(bus.counter("amoskys_bus_heads_total") == 1);

    bus.clock.advance(90s);
    bus.reopen();
    bus.state->heads.update(bus.state->metrics, bus.state->lanes, *bus.state->trust,
                            bus.clock.now_ns());
    CHECK(bus.counter("amoskys_bus_agent_head_age_seconds", "edge-1") == 90);
    CHECK(bus.counter("amoskys_bus_agent_head_ahead_envelopes", "edge-1") == 3);
}

TEST_CASE("a head that does not fit is refused with an audit record, and the session goes on") {
    Bus bus;
    Peer peer(bus, 1);
    peer.hello();
    auto frame = head_frame(bus);
    SECTION("changed") {
        frame.mutable_head()->set_last_sequence(4);
    }
    SECTION("of another lane") {
        frame = head_frame(bus, 3, "proc");
    }
    SECTION("of another agent") {
        frame.mutable_head()->set_agent_id("edge-2");
        wire::sign(*frame.mutable_head(), *bus.key);
    }
    SECTION("by an unknown key") {
        const auto other = crypto::SigningKey::generate();
        frame.mutable_head()->set_key_id(other.id());
        wire::sign(*frame.mutable_head(), other);
    }
    peer.send(frame);
    CHECK_FALSE(peer.commit());
    CHECK(bus.state->heads.find({"edge-1", "snmp"}) == nullptr);
    CHECK(bus.counter("amoskys_bus_refused_heads_total") == 1);
    CHECK_FALSE(peer.session->closing());
}

TEST_CASE("heads that come faster than one a second are left out") {
    Bus bus;
    Peer peer(bus, 1);
    peer.hello();
    peer.send(head_frame(bus, 3));
    peer.send(head_frame(bus, 4));
    CHECK(bus.counter("amoskys_bus_heads_total") == 1);
    bus.clock.advance(1s);
    peer.send(head_frame(bus, 5));
    CHECK(bus.state->heads.find({"edge-1", "snmp"})->head.last_sequence() == 5);
}

TEST_CASE("an envelope with requires_acknowledgment gets an ACK of its own inside a batch") {
    Bus bus;
    Peer peer(bus, 1);
    peer.hello();
    auto lane = builder(bus);
    peer.output();
    for (int i = 0; i < 5; ++i) {
        const std::string body = payload();
        wire::BuildRequest request;
        request.kind = wire::PayloadKind::device;
        request.payload = as_bytes(body);
        request.ts_ns = bus.clock.now_ns();
        request.requires_acknowledgment = i == 2;
        const auto built = lane.build(request);
        REQUIRE(built.has_value());
        peer.session->offer_credit();
        peer.publish(*built);
    }
    REQUIRE(peer.commit());
    std::vector<std::pair<std::uint64_t, std::uint64_t>> acks;
    for (const auto& frame : peer.output()) {
        if (!frame.has_ack())
            continue;
        const auto id = frame.request_id();
        acks.emplace_back(id != 0 ? id : frame.ack().first_request_id(),
                          id != 0 ? id : frame.ack().last_request_id());
    }
    using Range = std::pair<std::uint64_t, std::uint64_t>;
    CHECK(acks == std::vector<Range>{{2, 3}, {4, 4}, {5, 6}});
}

TEST_CASE("the audit record of a new epoch tells the agent's reason") {
    Bus bus;
    Peer peer(bus, 1);
    peer.hello();
    auto first = builder(bus);
    peer.publish(build(first));
    REQUIRE(peer.commit());
    auto second = builder(bus, "snmp", {{2000}, {0}, first.state().last_signature});
    const std::string body = payload();
    wire::BuildRequest request;
    request.kind = wire::PayloadKind::device;
    request.payload = as_bytes(body);
    request.ts_ns = bus.clock.now_ns();
    request.epoch_reason = "restored from a snapshot";
    const auto built = second.build(request);
    REQUIRE(built.has_value());
    peer.session->offer_credit();
    peer.publish(*built);
    REQUIRE(peer.commit());
    std::string audit;
    const auto visit = [&](const wal::RecordView& record) {
        if (record.header.kind == RecordKind::audit)
            audit = to_string(record.stored);
        return true;
    };
    REQUIRE(bus.log->read({1}, 10, visit).has_value());
    CHECK(audit.find("the agent says: restored from a snapshot") != std::string::npos);
}
