#include "modules/transformation/window_stats/window_stats.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace amoskys;
using window_stats::statistics;

namespace {

constexpr UnixNanos second = 1'000'000'000;
constexpr UnixNanos origin = 1'730'000'000 * second;

std::vector<UnixNanos> every_ten_seconds(std::size_t n) {
    std::vector<UnixNanos> times;
    for (std::size_t i = 0; i < n; ++i)
        times.push_back(origin + i * 10 * second);
    return times;
}

window_stats::Statistics of(const std::vector<double>& values) {
    std::vector<double> scratch;
    return statistics(every_ten_seconds(values.size()), values, scratch);
}

}  // namespace

TEST_CASE("window statistics of six samples equal the values worked out by hand") {
    // mean 6, deviations -4 -2 0 2 4 0 -> 40/5 = 8
    const auto s = of({2, 4, 6, 8, 10, 6});
    CHECK(s.mean == 6);
    CHECK(s.std == Approx(std::sqrt(8.0)).epsilon(1e-15));
    CHECK(s.min == 2);
    CHECK(s.max == 10);
    CHECK(s.median == 6);
    // times -25 -15 -5 5 15 25: sum t*x = 100 + 30 + 0 + 10 + 60 + 0 = 200, sum t*t = 1750
    CHECK(s.slope == Approx(200.0 / 1750).epsilon(1e-14));
}

TEST_CASE("median of an even number of samples is the mean of the two middle ones") {
    CHECK(of({7, 1, 3, 100}).median == 5);
    CHECK(of({3, 1}).median == 2);
    CHECK(of({9, 1, 5}).median == 5);
}

TEST_CASE("one sample has no standard deviation and no slope") {
    const auto s = of({42});
    CHECK(s.mean == 42);
    CHECK(s.median == 42);
    CHECK(std::isnan(s.std));
    CHECK(std::isnan(s.slope));
}

TEST_CASE("equal samples have a standard deviation and a slope of exactly zero") {
    const auto s = of({0.1, 0.1, 0.1, 0.1, 0.1, 0.1});
    CHECK(s.std == 0);
    CHECK(s.slope == 0);
    CHECK(s.mean == 0.1);
}

TEST_CASE("large values with small differences keep their standard deviation and slope") {
    const auto s = of({1e15, 1e15 + 1, 1e15 + 2});
    CHECK(s.std == 1);
    CHECK(s.slope == Approx(0.1).epsilon(1e-12));
}

TEST_CASE("slope goes by the times of the samples and not by their number") {
    std::vector<double> scratch;
    const std::vector<UnixNanos> times = {origin, origin + second, origin + 31 * second};
    const auto s = statistics(times, std::vector<double>{0, 2, 62}, scratch);
    CHECK(s.slope == Approx(2.0).epsilon(1e-14));
}

TEST_CASE("extractor names columns after the metric and leaves absent metrics missing") {
    module::ColumnTable columns;
    const auto extractor = window_stats::make_extractor(columns);
    const auto times = every_ten_seconds(2);
    const std::vector<double> values = {1, 3};
    std::vector<module::Series> series = {{0, "cpu", "percent", times, values},
                                          {1, "load", "", times, values}};
    module::FeatureRow row;
    extractor->extract({"d", origin, origin + 60 * second, series}, row);
    REQUIRE(columns.columns().size() == 12);
    CHECK(columns.columns()[0].name == "cpu_mean");
    CHECK(columns.columns()[0].unit == "percent");
    CHECK(columns.columns()[5].name == "cpu_slope");
    CHECK(columns.columns()[5].unit == "percent/s");
    CHECK(columns.columns()[11].unit == "1/s");
    CHECK(row.values()[5] == Approx(0.2));

    row.clear();
    extractor->extract({"d", origin, origin + 60 * second, std::span(series).subspan(1)}, row);
    CHECK(columns.columns().size() == 12);
    CHECK(std::isnan(row.values()[0]));
    CHECK(row.values()[6] == 2);
}
