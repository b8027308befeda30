#include "modules/transformation/etl/canonical.h"

#include <catch2/catch.hpp>

#include "modules/transformation/etl/test/feeder.h"
#include "modules/transformation/etl/test/one_device.h"

using namespace amoskys;
using namespace amoskys::etl;
using namespace amoskys::etl::test;

namespace {

constexpr UnixNanos t0 = origin, t1 = origin + 10 * second, t2 = origin + 20 * second;

}  // namespace

TEST_CASE("a counter becomes a rate per second and its first value gives none") {
    OneDevice device;
    CHECK(device.at(t0, {counter("d", t0, "octets", 1000)}).empty());
    CHECK(device.at(t1, {counter("d", t1, "octets", 1500)}) == Values{{"octets_rate", 50}});
    CHECK(device.metrics.at(0).unit == "bytes/s");
    CHECK(device.counts.counter_starts == 1);
}

TEST_CASE("a counter that went back gives no rate, and the next one counts from there") {
    OneDevice device;
    device.at(t0, {counter("d", t0, "octets", 1000)});
    CHECK(device.at(t1, {counter("d", t1, "octets", 200)}).empty());
    CHECK(device.counts.counter_resets == 1);
    CHECK(device.at(t2, {counter("d", t2, "octets", 300)}) == Values{{"octets_rate", 10}});
}

TEST_CASE("a decrease is a wrap of 32 bits only with an uptime that went on") {
    const double high = 4294967296.0 - 500;
    SECTION("uptime went on") {
        OneDevice device;
        device.at(t0, {gauge("d", t0, "sysUpTime", 100), counter("d", t0, "octets", high)});
        const auto values =
            device.at(t1, {counter("d", t1, "octets", 500), gauge("d", t1, "sysUpTime", 1100)});
        CHECK(values.at("octets_rate") == 100);
        CHECK(device.counts.counter_wraps == 1);
    }
    SECTION("uptime went back: even an increase is no rate") {
        OneDevice device;
        device.at(t0, {gauge("d", t0, "sysUpTime", 5000), counter("d", t0, "octets", 100)});
        const auto values =
            device.at(t1, {counter("d", t1, "octets", 500), gauge("d", t1, "sysUpTime", 10)});
        CHECK(values == Values{{"sysUpTime", 10}, {"uptime_seconds", 0.1}});
        CHECK(device.counts.counter_resets == 1);
    }
    SECTION("no uptime known") {
        OneDevice device;
        device.at(t0, {counter("d", t0, "octets", high)});
        CHECK(device.at(t1, {counter("d", t1, "octets", 500)}).empty());
    }
    SECTION("a counter of 64 bits") {
        OneDevice device;
        device.at(t0, {gauge("d", t0, "sysUpTime", 1), counter("d", t0, "octets", 1e13)});
        CHECK(device.at(t1, {gauge("d", t1, "sysUpTime", 2), counter("d", t1, "octets", 500)}) ==
              Values{{"sysUpTime", 2}, {"uptime_seconds", 0.02}});
    }
}

TEST_CASE("table rows become the sum of rates and the mean of gauges") {
    OneDevice device;
    device.at(t0, {counter("d", t0, "octets", 0, "1"), counter("d", t0, "octets", 0, "2")});
    CHECK(device.at(t1, {counter("d", t1, "octets", 100, "1"), counter("d", t1, "octets", 300, "2"),
                         gauge("d", t1, "load", 20, "1"), gauge("d", t1, "load", 40, "2")}) ==
          Values{{"octets_rate", 40}, {"load", 30}});
    // A row that is new has no rate yet; the others still have theirs.
    CHECK(device.at(t2, {counter("d", t2, "octets", 200, "1"),
                         counter("d", t2, "octets", 7, "3")}) == Values{{"octets_rate", 10}});
}

TEST_CASE("the same metric and index at the same time again is a duplicate") {
    OneDevice device;
    CHECK(device.at(t0, {gauge("d", t0, "load", 1), gauge("d", t0, "load", 9)}) ==
          Values{{"load", 1}});
    CHECK(device.counts.duplicates == 1);
}

TEST_CASE("a metric that changes its type becomes two metrics") {
    OneDevice device;
    device.at(t0, {counter("d", t0, "x", 1)});
    CHECK(device.at(t1, {gauge("d", t1, "x", 5)}) == Values{{"x", 5}});
    CHECK(device.at(t2, {counter("d", t2, "x", 21)}) == Values{{"x_rate", 1}});
}
