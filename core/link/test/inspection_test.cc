#include "core/link/inspection.h"

#include <future>
#include <random>

#include "core/link/inspection_pool.h"
#include "core/link/test/bus_fixture.h"

using namespace amoskys;
using namespace amoskys::link;
using namespace amoskys::link::test;
using messaging::UniversalAck;

namespace {

Peer connected(Bus& bus) {
    Peer peer(bus, 1);
    peer.hello();
    peer.output();
    return peer;
}

// Answers as text, without the time in them.
std::vector<std::string> answers(Peer& peer) {
    std::vector<std::string> out;
    for (auto& frame : peer.output()) {
        if (frame.has_ack())
            frame.mutable_ack()->mutable_ack()->clear_current_load();
        out.push_back(frame.ShortDebugString());
    }
    return out;
}

std::string altered(std::string envelope, std::size_t at) {
    envelope[at % envelope.size()] ^= 1;
    return envelope;
}

}  // namespace

TEST_CASE("what is inspected ahead is judged as what is not") {
    const unsigned seed = 20261126;
    std::mt19937 random(seed);
    for (int round = 0; round < 60; ++round) {
        INFO("seed " << seed << " round " << round);
        Bus plain, ahead;
        Peer one = connected(plain), other = connected(ahead);
        auto lane = builder(plain);
        std::vector<std::string> envelopes;
        for (int i = 0; i < 12; ++i)
            envelopes.push_back(build(lane, payload("dev-" + std::to_string(i))));
        std::vector<std::string> sent;  // in order, with repeats, skips and broken ones
        for (std::size_t i = 0; i < envelopes.size(); ++i) {
            const auto dice = random() % 10;
            if (dice == 0)
                sent.push_back(altered(envelopes[i], random()));
            if (dice == 1 && i > 0)
                sent.push_back(envelopes[i - 1]);
            if (dice != 2)
                sent.push_back(envelopes[i]);
        }
        for (std::size_t from = 0; from < sent.size();) {
            const std::size_t to = std::min(sent.size(), from + 1 + random() % 5);
            for (; from < to; ++from) {
                one.publish(sent[from]);
                other.publish_ahead(sent[from]);
            }
            other.take_waiting();
            CHECK(one.commit() == other.commit());
            CHECK(answers(one) == answers(other));
        }
        CHECK(plain.records() == ahead.records());
        CHECK(plain.counter("amoskys_bus_rejected_envelopes_total") ==
              ahead.counter("amoskys_bus_rejected_envelopes_total"));
    }
}

TEST_CASE("only what may be the lane's next is inspected ahead") {
    Bus bus;
    Peer peer = connected(bus);
    auto lane = builder(bus);
    const auto first = build(lane), second = build(lane), third = build(lane);
    CHECK(peer.session->prepare(as_bytes(body_of([] {
        wire::Frame ping;
        ping.mutable_ping()->set_sent_time_ns(1);
        return ping;
    }()))) == nullptr);
    // A new epoch is the lane's own affair; after it the next ones follow each other.
    peer.publish_ahead(first);
    CHECK(peer.waiting.back().first == nullptr);
    peer.take_waiting();
    peer.publish_ahead(third);
    CHECK(peer.waiting.back().first == nullptr);
    peer.publish_ahead(second);
    CHECK(peer.waiting.back().first != nullptr);
    peer.publish_ahead(third);
    CHECK(peer.waiting.back().first != nullptr);
    peer.publish_ahead(first);
    CHECK(peer.waiting.back().first == nullptr);
}

TEST_CASE("a trust map that changes during an inspection decides") {
    Bus bus;
    Peer peer = connected(bus);
    auto lane = builder(bus);
    peer.publish(build(lane));
    const auto id = peer.publish_ahead(build(lane, payload("dev-2")));
    REQUIRE(peer.waiting.back().first != nullptr);
    peer.waiting.back().first->verify();
    bus.set_trust(", devices: [dev-1]");
    peer.session->recheck_trust();
    peer.take_waiting();
    const auto ack = peer.ack_of(id);
    CHECK(ack.ack().status() == UniversalAck::SECURITY_VIOLATION);
    CHECK(ack.ack().reason().find("device 'dev-2' is not one of agent") != std::string::npos);
}

TEST_CASE("a broken signature found ahead is a violation when its turn comes") {
    Bus bus;
    Peer peer = connected(bus);
    auto lane = builder(bus);
    peer.publish(build(lane));
    auto second = build(lane, payload("dev-1", 100));
    second[second.find("xxxx")] = 'y';
    const auto id = peer.publish_ahead(second);
    REQUIRE(peer.waiting.back().first != nullptr);
    peer.take_waiting();
    CHECK(peer.ack_of(id).ack().reason().find("bad signature") == 0);
    CHECK(bus.records() == 0);
}

TEST_CASE("a pool inspects all that it is given, and ends") {
    Bus bus;
    Peer peer = connected(bus);
    auto lane = builder(bus);
    peer.publish(build(lane));
    std::vector<std::shared_ptr<Inspection>> given;
    std::atomic<int> done = 0;
    std::promise<void> all;
    InspectionPool pool(3);
    constexpr int count = 100;
    for (int i = 0; i < count; ++i) {
        peer.publish_ahead(build(lane));
        given.push_back(peer.waiting.back().first);
        REQUIRE(given.back() != nullptr);
        pool.submit(given.back(), [&] {
            if (++done == count)
                all.set_value();
        });
    }
    all.get_future().wait();
    for (const auto& inspection : given) {
        CHECK(inspection->done.load());
        REQUIRE(inspection->checked.has_value());
        CHECK(inspection->checked->signature_fits);
    }
    pool.stop();
    pool.submit(given[0], [&] { ++done; });  // never begun
    CHECK(done == count);
    CHECK(InspectionPool(0).empty());
}
