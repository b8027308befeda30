#include "modules/transformation/window_stats/window_stats.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "modules/transformation/window_stats/statistics.h"

using namespace amoskys;
using window_stats::Feature;

namespace {

constexpr UnixNanos second = 1'000'000'000;
constexpr UnixNanos origin = 1'730'000'000 * second;

std::vector<UnixNanos> every_ten_seconds(std::size_t n) {
    std::vector<UnixNanos> times;
    for (std::size_t i = 0; i < n; ++i)
        times.push_back(origin + i * 10 * second);
    return times;
}

struct Statistics {
    std::array<double, window_stats::feature_count> values;
    double operator[](Feature feature) const { return values[static_cast<std::size_t>(feature)]; }
};

Statistics of(const std::vector<double>& values, const std::vector<UnixNanos>& times,
              const module::Baseline* baseline = nullptr) {
    window_stats::Calculator calculator;
    Statistics out;
    calculator.calculate({0, "m", "", times, values, values, baseline}, 60, out.values.data());
    return out;
}
Statistics of(const std::vector<double>& values, const module::Baseline* baseline = nullptr) {
    return of(values, every_ten_seconds(values.size()), baseline);
}

}  // namespace

TEST_CASE("window statistics of six samples equal the values worked out by hand") {
    // mean 6, deviations -4 -2 0 2 4 0 -> 40/5 = 8
    const auto s = of({2, 4, 6, 8, 10, 6});
    CHECK(s[Feature::mean] == 6);
    CHECK(s[Feature::std] == Approx(std::sqrt(8.0)).epsilon(1e-15));
    CHECK(s[Feature::min] == 2);
    CHECK(s[Feature::max] == 10);
    CHECK(s[Feature::median] == 6);
    // sorted 2 4 6 6 8 10: rank 1.25, 3.75, 4.75, 4.95
    CHECK(s[Feature::q25] == 4.5);
    CHECK(s[Feature::q50] == 6);
    CHECK(s[Feature::q75] == 7.5);
    CHECK(s[Feature::q95] == 9.5);
    CHECK(s[Feature::q99] == Approx(9.9).epsilon(1e-15));
    // rates .2 .2 .2 .2 -.4, changes of rates 0 0 0 -.06
    CHECK(s[Feature::roc] == Approx(0.08).epsilon(1e-14));
    CHECK(s[Feature::roc_abs] == Approx(0.24).epsilon(1e-14));
    CHECK(s[Feature::accel] == Approx(-0.015).epsilon(1e-14));
    // times -25 -15 -5 5 15 25: sum t*x = 100 + 30 + 0 + 10 + 60 + 0 = 200, sum t*t = 1750
    CHECK(s[Feature::slope] == Approx(200.0 / 1750).epsilon(1e-14));
    CHECK(s[Feature::cv] == Approx(std::sqrt(8.0) / 6).epsilon(1e-15));
    CHECK(s[Feature::z_last] == 0);
    CHECK(s[Feature::count] == 6);
    for (const Feature usual : {Feature::z_dev, Feature::entropy, Feature::jump3s, Feature::burst,
                                Feature::missing_share})
        CHECK(std::isnan(s[usual]));
}

TEST_CASE("what is relative to the usual comes from the baseline") {
    const module::Baseline usual{
        .count = 100, .min = 0, .max = 50, .mean = 10, .std = 5, .step_std = 2, .interval_s = 7.5};
    // bins of width 1: 0 0 3 49 (the last one holds what is above, too) 49 0 (and below)
    const auto s = of({0.5, 0.9, 3, 49.5, 1000, -7}, &usual);
    CHECK(s[Feature::z_dev] == Approx((1046.9 / 6 - 10) / 5).epsilon(1e-14));
    // 3, 1 and 2 of 6
    CHECK(s[Feature::entropy] ==
          Approx(0.5 + std::log2(6.0) / 6 + std::log2(3.0) / 3).epsilon(1e-14));
    CHECK(s[Feature::jump3s] == 3);  // 46.5, 950.5, 1007 are above 6
    CHECK(s[Feature::burst] == 2);   // above 20
    CHECK(s[Feature::missing_share] == Approx(0.25).epsilon(1e-15));  // 6 of 8
    SECTION("more samples than usual are none too few") {
        module::Baseline slow = usual;
        slow.interval_s = 30;
        CHECK(of({1, 2, 3}, &slow)[Feature::missing_share] == 0);
    }
    SECTION("a level that never varied is one unit wide, a step that never varied never jumps") {
        const module::Baseline flat{.count = 9, .min = 4, .max = 4, .mean = 4};
        const auto t = of({4, 7, 4}, &flat);
        CHECK(t[Feature::z_dev] == 1);
        CHECK(t[Feature::burst] == 1);
        CHECK(t[Feature::jump3s] == 0);
        CHECK(t[Feature::entropy] == Approx(std::log2(3.0) - 2.0 / 3).epsilon(1e-14));
        CHECK(std::isnan(t[Feature::missing_share]));
    }
}

TEST_CASE("samples in one bin have an entropy of exactly zero and each in its own the logarithm") {
    const module::Baseline usual{.count = 2, .min = 0, .max = 500};
    CHECK(of({1, 2, 3, 4, 5, 6, 7}, &usual)[Feature::entropy] == 0);
    std::vector<double> spread;
    for (int i = 0; i < 200; ++i)
        spread.push_back(i % 50 * 10 + 5);
    CHECK(of(spread, &usual)[Feature::entropy] == Approx(std::log2(50.0)).epsilon(1e-14));
}

TEST_CASE("median of an even number of samples is the mean of the two middle ones") {
    CHECK(of({7, 1, 3, 100})[Feature::median] == 5);
    CHECK(of({3, 1})[Feature::median] == 2);
    CHECK(of({9, 1, 5})[Feature::median] == 5);
}

TEST_CASE("many samples are sorted like few") {
    std::vector<double> values;
    for (int i = 0; i < 101; ++i)
        values.push_back(i * 37 % 101);
    const auto s = of(values);
    CHECK(s[Feature::min] == 0);
    CHECK(s[Feature::q25] == 25);
    CHECK(s[Feature::median] == 50);
    CHECK(s[Feature::q99] == 99);
    CHECK(s[Feature::max] == 100);
}

TEST_CASE("one sample has levels but no spread, no change and no trend") {
    const auto s = of({42});
    CHECK(s[Feature::mean] == 42);
    CHECK(s[Feature::q99] == 42);
    CHECK(s[Feature::count] == 1);
    for (const Feature undefined : {Feature::std, Feature::roc, Feature::roc_abs, Feature::accel,
                                    Feature::slope, Feature::cv, Feature::z_last})
        CHECK(std::isnan(s[undefined]));
    CHECK(std::isnan(of({1, 2})[Feature::accel]));
}

TEST_CASE("equal samples have a spread and a trend of exactly zero") {
    const auto s = of({0.1, 0.1, 0.1, 0.1, 0.1, 0.1});
    for (const Feature zero :
         {Feature::std, Feature::slope, Feature::roc, Feature::accel, Feature::cv, Feature::z_last})
        CHECK(s[zero] == 0);
    CHECK(s[Feature::mean] == 0.1);
    CHECK(of({0, 0, 0})[Feature::cv] == 0);
}

TEST_CASE("a mean of zero has no coefficient of variation") {
    const auto s = of({-1, 1});
    CHECK(std::isnan(s[Feature::cv]));
    CHECK(s[Feature::z_last] == Approx(1 / std::sqrt(2.0)));
}

TEST_CASE("large values with small differences keep their standard deviation and slope") {
    const auto s = of({1e15, 1e15 + 1, 1e15 + 2});
    CHECK(s[Feature::std] == 1);
    CHECK(s[Feature::slope] == Approx(0.1).epsilon(1e-12));
}

TEST_CASE("change and trend go by the times of the samples and not by their number") {
    const auto s =
        of({0, 2, 62, 62}, {origin, origin + second, origin + 31 * second, origin + 33 * second});
    CHECK(s[Feature::roc] == Approx(4.0 / 3).epsilon(1e-14));    // 2 2 0
    CHECK(s[Feature::accel] == Approx(-0.0625).epsilon(1e-14));  // 0, -2 in 16 s
    const auto line = of({0, 2, 62}, {origin, origin + second, origin + 31 * second});
    CHECK(line[Feature::slope] == Approx(2.0).epsilon(1e-14));
}

TEST_CASE("series of different times after one another do not disturb each other") {
    window_stats::Calculator calculator;
    const std::vector<double> values = {0, 1, 2};
    std::array<double, window_stats::feature_count> out;
    for (const unsigned distance : {1, 5, 1}) {
        const std::vector<UnixNanos> times = {origin, origin + distance * second,
                                              origin + 2 * distance * second};
        calculator.calculate({0, "m", "", times, values, values, nullptr}, 60, out.data());
        CHECK(out[static_cast<std::size_t>(Feature::slope)] == Approx(1.0 / distance));
        CHECK(out[static_cast<std::size_t>(Feature::roc)] == Approx(1.0 / distance));
    }
}

TEST_CASE("extractor names columns after the metric and leaves absent metrics missing") {
    module::ColumnTable columns;
    const auto extractor = window_stats::make_extractor(columns, {});
    const auto times = every_ten_seconds(2);
    const std::vector<double> values = {1, 3};
    std::vector<module::Series> series = {{0, "cpu", "percent", times, values, values, nullptr},
                                          {1, "load", "", times, values, values, nullptr}};
    module::FeatureRow row;
    extractor->extract({"d", origin, origin + 60 * second, series}, row);
    REQUIRE(columns.columns().size() == 44);
    const auto unit = [&](std::size_t at, Feature feature) {
        return columns.columns()[at + static_cast<std::size_t>(feature)].unit;
    };
    CHECK(columns.columns()[0].name == "cpu_mean");
    CHECK(columns.columns()[21].name == "cpu_missing");
    CHECK(columns.columns()[22].name == "load_mean");
    CHECK(unit(0, Feature::mean) == "percent");
    CHECK(unit(0, Feature::slope) == "percent/s");
    CHECK(unit(0, Feature::accel) == "percent/s^2");
    CHECK(unit(22, Feature::slope) == "1/s");
    CHECK(unit(0, Feature::entropy) == "bits");
    CHECK(row.values()[static_cast<std::size_t>(Feature::slope)] == Approx(0.2));

    row.clear();
    extractor->extract({"d", origin, origin + 60 * second, std::span(series).subspan(1)}, row);
    CHECK(columns.columns().size() == 44);
    CHECK(std::isnan(row.values()[0]));
    CHECK(row.values()[22] == 2);
}
