#include "modules/intelligence/alerts/trust.h"

#include <catch2/catch.hpp>

using namespace amoskys;
using alerts::device_trust;

namespace {

constexpr UnixNanos minute_ns = 60'000'000'000ULL;

module::Alert alert_of(std::string device, std::string rule, double score, UnixNanos time_ns) {
    module::Alert out;
    out.devices = {std::move(device)};
    out.rule = std::move(rule);
    out.score = score;
    out.first_ns = out.last_ns = time_ns;
    return out;
}

}  // namespace

TEST_CASE(
    "trust falls by a tenth for each alert of the last hour and a twentieth for each serious one") {
    const UnixNanos now = 10'000 * minute_ns;
    std::vector<module::Alert> all = {alert_of("a", "r1", 0.8, now), alert_of("a", "r2", 0.4, now),
                                      alert_of("a", "r3", 0.8, now - 120 * minute_ns),
                                      alert_of("b", "r1", 0.4, now)};
    const auto found = device_trust(all);
    REQUIRE(found.size() == 2);
    CHECK(found[0].device == "a");
    CHECK(found[0].trust == Approx(1 - 0.2 - 0.1));
    CHECK(found[0].behaviour == Approx(0.4));
    CHECK(found[0].last_hour == 2);
    CHECK(found[0].risk() == "medium");
    CHECK(found[1].trust == Approx(0.9));
    CHECK(found[1].risk() == "low");
}

TEST_CASE("trust does not fall below zero, and what was resolved or normal does not count") {
    std::vector<module::Alert> all;
    for (int i = 0; i < 30; ++i)
        all.push_back(alert_of("a", "r" + std::to_string(i), 0.9, 1000));
    CHECK(device_trust(all)[0].trust == 0);
    CHECK(device_trust(all)[0].behaviour == 1);
    for (auto& each : all)
        each.label = "normal";
    CHECK(device_trust(all).empty());
    all[0].label.clear();
    all[0].state = module::Alert::State::resolved;
    CHECK(device_trust(all).empty());
}

TEST_CASE("a device that speaks in the clear is not compliant for an hour") {
    module::Alert clear = alert_of("plc", "cleartext", 0.4, 100 * minute_ns);
    clear.pattern = "cleartext";
    CHECK_FALSE(device_trust({clear})[0].compliant);
    CHECK(device_trust({clear, alert_of("x", "r", 0.4, 200 * minute_ns)})[0].compliant);
}
