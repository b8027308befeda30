#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <random>

#include "core/base/file.h"
#include "core/wire/event.h"
#include "modules/tools/bench/report.h"

using namespace amoskys;
using namespace amoskys::modules::bench;
using namespace std::chrono_literals;

namespace {

void check_golden(const Json& actual) {
    const std::filesystem::path file =
        std::filesystem::path(AMOSKYS_SOURCE_DIR) / "modules/tools/bench/test/golden/bench.json";
    const std::string text = json::dump_pretty(actual) + "\n";
    const char* update = std::getenv("AMOSKYS_UPDATE_GOLDEN");
    if (update != nullptr && *update == '1')
        std::ofstream(file) << text;
    const auto expected = read_file(file, 1 << 20);
    REQUIRE(expected.has_value());
    CHECK(text == *expected);
}

}  // namespace

TEST_CASE("percentiles are those of the sorted latencies, within a bucket") {
    std::mt19937 random(7);
    std::lognormal_distribution<double> spread(6, 2);  // microseconds
    std::vector<double> sorted;
    Latencies one, other, all;
    for (int i = 0; i < 20'000; ++i) {
        const auto us = static_cast<std::int64_t>(spread(random)) + 1;
        sorted.push_back(static_cast<double>(us) / 1e3);
        (i % 2 == 0 ? one : other).add(std::chrono::microseconds(us));
    }
    std::ranges::sort(sorted);
    all.add(one);
    all.add(other);
    CHECK(all.count() == sorted.size());
    CHECK(all.max_ms() == sorted.back());
    for (const double fraction : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
        INFO(fraction);
        const auto at = std::max<std::size_t>(
            1, static_cast<std::size_t>(fraction * static_cast<double>(sorted.size())));
        const double exact = sorted[at - 1], told = all.percentile_ms(fraction);
        CHECK(told >= exact * 0.999);
        CHECK(told <= exact * 1.05 + 0.001);
    }
    CHECK(Latencies().percentile_ms(0.5) == 0);
}

TEST_CASE("a load has the records that were asked for, and says that they are synthetic") {
    const Load load = make_load(3, 700, 1'700'000'000'000'000'000);
    CHECK(load.records == 3);
    CHECK(load.record_bytes >= 700);
    CHECK(load.record_bytes < 850);
    messaging::TelemetryBatch batch;
    REQUIRE(batch.ParseFromString(load.payload));
    CHECK(batch.telemetry_records_size() == 3);
    std::uint64_t events = 0;
    for (const auto& record : batch.telemetry_records())
        for (const auto& event : record.events()) {
            ++events;
            CHECK(event.is_synthetic());
        }
    CHECK(events == load.events);
}

TEST_CASE("the report has the keys of the noun and adds up its publishers") {
    Load load;
    load.records = 50;
    load.events = 1450;
    load.record_bytes = 2213;
    std::vector<Outcome> outcomes(2);
    for (auto& each : outcomes) {
        each.sent.envelopes = 100;
        each.sent.bytes = 11'200'000;
        each.sent.latencies.add(2ms);
        each.sent.latencies.add(9ms);
        each.client.sent = 101;
        each.client.retried = 1;
        each.client.connects = 1;
        each.seconds = 2;
    }
    outcomes[1].seconds = 4;
    outcomes[1].unacknowledged = 3;
    check_golden(report({"127.0.0.1:50051", 2, 50, 0}, load, outcomes));
}
