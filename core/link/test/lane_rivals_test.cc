#include "core/link/lane_rivals.h"

#include <catch2/catch.hpp>

using namespace amoskys;
using namespace amoskys::link;
using namespace std::chrono_literals;

namespace {

const LaneKey lane{"edge-1", "proc"};
const std::string here = "192.0.2.1:4711", there = "192.0.2.2:4712";

}  // namespace

TEST_CASE("two hosts that come back to a lane in turn are rivals, with both addresses") {
    LaneRivals rivals;
    LaneRivals::Time now{};
    CHECK_FALSE(rivals.claimed(lane, {10}, {0}, here, now));
    CHECK_FALSE(rivals.claimed(lane, {20}, {10}, there, now += 1s));
    CHECK_FALSE(rivals.claimed(lane, {10}, {21}, here, now += 1s));
    CHECK(rivals.claimed(lane, {21}, {30}, there, now += 1s));
    CHECK(rivals.describe() ==
          "agent 'edge-1', lane 'proc': 192.0.2.1:4711 and 192.0.2.2:4712 use one identity; give "
          "one of them its own (`amoskys pki issue agent`)");
    CHECK_FALSE(rivals.claimed(lane, {30}, {40}, here, now += 1s));  // told once
    CHECK(rivals.conflicts().at(lane).second == here);
    CHECK(rivals.settle(now + 59s).empty());
    CHECK(rivals.settle(now + 60s) == std::vector<LaneKey>{lane});
    CHECK(rivals.describe().empty());
}

TEST_CASE("rivals that publish nothing are told by their spools' epochs alone") {
    LaneRivals rivals;
    LaneRivals::Time now{};
    bool told = false;
    for (int round = 0; round < 3; ++round) {
        told = rivals.claimed(lane, {10}, {10}, here, now += 2s) || told;
        told = rivals.claimed(lane, {20}, {10}, there, now += 2s) || told;
    }
    CHECK(told);
}

TEST_CASE("one host is no rival of its own: reconnects, restarts, a new epoch, a restored spool") {
    LaneRivals rivals;
    LaneRivals::Time now{};
    for (int i = 0; i < 20; ++i)  // a link that flaps
        CHECK_FALSE(rivals.claimed(lane, {10}, {10}, here, now += 1s));
    CHECK_FALSE(rivals.claimed(lane, {20}, {10}, here, now += 1s));  // another bus in between
    CHECK_FALSE(rivals.claimed(lane, {10}, {20}, here, now += 1s));  // restored from a copy
    CHECK_FALSE(rivals.claimed(lane, {30}, {20}, here, now += 1s));  // which begins a new epoch
    CHECK_FALSE(rivals.claimed(lane, {30}, {30}, here, now += 1s));
    CHECK_FALSE(rivals.claimed(lane, {25}, {30}, here, now += 120s));  // again, much later
    CHECK(rivals.conflicts().empty());
}
