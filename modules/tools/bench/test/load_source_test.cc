#include "modules/tools/bench/load_source.h"

#include <catch2/catch.hpp>

#include "core/wire/envelope.h"

using namespace amoskys;
using namespace amoskys::modules::bench;
using namespace std::chrono_literals;

namespace {

struct Lane {
    explicit Lane(double envelopes_per_second = 0)
        : source(io, {"edge-1", "bench-1", key, &load, envelopes_per_second, &clock}) {}

    std::string next(std::uint64_t after) {
        auto item = source.next({after});
        REQUIRE(item.has_value());
        if (!*item)
            return {};
        CHECK((*item)->sequence.value == after + 1);
        return (*item)->envelope;
    }
    static wire::CutEnvelope cut(const std::string& envelope) {
        auto out = wire::cut_envelope(as_bytes(envelope));
        REQUIRE(out.has_value());
        return *out;
    }

    FakeClock clock{1'700'000'100'000'000'000};
    io::asio::io_context io{1};
    std::shared_ptr<const crypto::SigningKey> key =
        std::make_shared<const crypto::SigningKey>(crypto::SigningKey::from_seed(Bytes(32, 7)));
    Load load = make_load(2, 300, 1'700'000'000'000'000'000);
    LoadSource source;
};

}  // namespace

TEST_CASE("a run begins an epoch that is linked to the bus's head") {
    Lane lane;
    const Bytes head(64, 9);
    const auto epoch = Epoch{1'800'000'000'000};  // of a bus with a clock ahead of ours
    CHECK(*lane.source.resume({epoch, {17}, head, {}}) == SeqNo{0});
    const auto first = lane.next(0), second = lane.next(1);
    CHECK(Lane::cut(first).epoch > epoch);
    CHECK(to_bytes(Lane::cut(first).prev_signature) == head);
    CHECK(to_bytes(Lane::cut(second).prev_signature) == to_bytes(Lane::cut(first).signature));
}

TEST_CASE("after a new connection what the bus has not got is sent again, unchanged") {
    Lane lane;
    REQUIRE(lane.source.resume({}).has_value());
    const auto first = lane.next(0), second = lane.next(1), third = lane.next(2);
    lane.source.committed({1});
    const auto epoch = lane.source.position().epoch;
    CHECK(lane.source.position().acked == SeqNo{1});
    CHECK(*lane.source.resume({epoch, {1}, Bytes(64, 1), {}}) == SeqNo{1});
    CHECK(lane.next(1) == second);
    CHECK(lane.next(2) == third);
    CHECK(lane.source.sent().envelopes == 1);
    CHECK(lane.source.sent().bytes == first.size());
    CHECK_FALSE(lane.source.idle());
    lane.source.committed({3});
    CHECK(lane.source.idle());
    SECTION("a bus that has lost what it acknowledged is told") {
        const auto lost = lane.source.resume({epoch, {2}, Bytes(64, 1), {}});
        REQUIRE_FALSE(lost.has_value());
        CHECK(lost.error().code == "bench_lost");
    }
    SECTION("a lane that somebody else has written is told") {
        const auto taken = lane.source.resume({{epoch.value + 1}, {1}, Bytes(64, 1), {}});
        REQUIRE_FALSE(taken.has_value());
        CHECK(taken.error().code == "bench_lane_taken");
    }
}

TEST_CASE("a rate hands out what is due, and latency runs from then") {
    Lane lane(10);
    REQUIRE(lane.source.resume({}).has_value());
    CHECK_FALSE(lane.next(0).empty());
    CHECK(lane.next(1).empty());
    lane.clock.advance(250ms);
    CHECK_FALSE(lane.next(1).empty());
    CHECK_FALSE(lane.next(2).empty());
    CHECK(lane.next(3).empty());
    lane.source.committed({3});  // due at 0, 100 and 200 ms
    CHECK(lane.source.sent().latencies.max_ms() == Approx(250));
    CHECK(lane.source.sent().latencies.percentile_ms(0.01) == Approx(50).epsilon(0.05));
    lane.source.finish();
    lane.clock.advance(10s);
    CHECK(lane.next(3).empty());
}
