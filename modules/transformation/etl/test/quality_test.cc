#include "modules/transformation/etl/quality.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "modules/transformation/etl/test/feeder.h"
#include "modules/transformation/etl/test/store_of_rows.h"

using namespace amoskys;
using namespace amoskys::etl;
using namespace amoskys::etl::test;

namespace {

std::vector<ColumnQuality> quality_of_columns(const FeatureStore& store, std::size_t count,
                                              const std::string& stage = "test") {
    return column_quality(store, std::vector<module::FeatureColumn>(count, {.stage = stage}));
}

}  // namespace

TEST_CASE("statistics of a column are those worked out by hand") {
    auto store = store_of({{"a", 10, {1, 5}},
                           {"a", 20, {2, 5}},
                           {"a", 30, {4, 5}},
                           {"b", 10, {missing_value, 5}},
                           {"b", 20, {9}}});
    const auto quality = quality_of_columns(*store, 3);
    CHECK(quality[0].count == 4);
    CHECK(quality[0].missing == 1);
    CHECK(quality[0].mean == 4);
    CHECK(quality[0].std == Approx(std::sqrt((9.0 + 4 + 0 + 25) / 3)));
    CHECK(quality[0].min == 1);
    CHECK(quality[0].max == 9);
    CHECK(quality[0].median == 3);
    CHECK(quality[0].q25 == 1.75);
    CHECK_FALSE(quality[0].zero_variance);
    CHECK(quality[1].zero_variance);
    CHECK(quality[1].std == 0);
    CHECK(quality[1].missing == 1);
    CHECK(quality[2].count == 0);
    CHECK(quality[2].missing == 5);
    CHECK_FALSE(quality[2].zero_variance);
    CHECK_FALSE(quality[0].psi);
}

TEST_CASE("outliers are counted beyond three ranges of the quartiles") {
    std::vector<StoredRow> rows;
    for (UnixNanos i = 0; i < 100; ++i)
        rows.push_back({"a", i * second, {static_cast<double>(i)}});
    rows.push_back({"a", 100 * second, {1000}});
    rows.push_back({"a", 101 * second, {-1000}});
    CHECK(quality_of_columns(*store_of(rows), 1)[0].outliers == 2);
}

TEST_CASE("a shifted validation part has drifted, the same distribution has not") {
    std::mt19937_64 random(11);
    std::normal_distribution<double> normal(50, 5);
    std::vector<StoredRow> rows;
    for (UnixNanos i = 0; i < 8000; ++i) {
        const Part part = i < 6400 ? Part::train : Part::validation;
        const double shift = part == Part::validation ? 10 : 0;
        rows.push_back({"a", i * second, {normal(random), normal(random) + shift}, part});
    }
    const auto quality = quality_of_columns(*store_of(rows), 2);
    CHECK(*quality[0].psi < 0.05);
    CHECK(*quality[0].ks < 0.06);
    CHECK_FALSE(quality[0].drifted());
    CHECK(*quality[1].psi > 1);
    CHECK(*quality[1].ks == Approx(0.68).margin(0.05));  // 2 Phi(1) - 1
    CHECK(quality[1].drifted());
    const auto calendar = quality_of_columns(*store_of(rows), 2, "calendar");
    CHECK(*calendar[1].psi == *quality[1].psi);
    CHECK_FALSE(calendar[1].drifted());
}

TEST_CASE("distances of samples are those worked out by hand") {
    CHECK(ks_distance({1, 2, 3, 4}, {1, 2, 3, 4}) == 0);
    CHECK(ks_distance({1, 2}, {3, 4}) == 1);
    CHECK(ks_distance({1, 2, 3, 4}, {3, 4, 5, 6}) == 0.5);
    CHECK(stability_index({1, 2, 3, 4}, {1, 2, 3, 4}) == 0);
    // Two bins at equal tenths, 1/2 and 1/2 against 1/4 and 3/4: (1/4) ln 3.
    CHECK(stability_index({0, 0, 0, 0, 0, 0, 1, 1}, {0, 0, 1, 1}) ==
          Approx((0.5 - 0.75) * std::log(0.5 / 0.75) + (0.5 - 0.25) * std::log(0.5 / 0.25)));
}

TEST_CASE("gaps between a device's windows are counted and measured") {
    const auto at = [](UnixNanos seconds) { return origin + seconds * second; };
    auto store = store_of({{"a", at(0), {1}},
                           {"a", at(30), {1}},
                           {"a", at(120), {1}},
                           {"b", at(0), {1}},
                           {"b", at(30), {1}}});
    const auto devices = device_windows(*store, std::chrono::seconds(30));
    REQUIRE(devices.size() == 2);
    CHECK(devices[0].device == "a");
    CHECK(devices[0].windows == 3);
    CHECK(devices[0].expected == 5);
    CHECK(devices[0].gaps == 1);
    CHECK(devices[0].longest_gap == std::chrono::seconds(60));
    CHECK(devices[1].gaps == 0);
    CHECK(devices[1].expected == 2);
}
