#include "modules/transformation/etl/preprocess.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <random>

using namespace amoskys;
using namespace amoskys::etl;

namespace {

constexpr double missing = module::FeatureRow::missing;

module::FeatureColumn column(const std::string& metric, const std::string& suffix) {
    return {.name = metric + suffix,
            .metric = metric,
            .unit = "",
            .stage = "window_stats",
            .formula = ""};
}

ColumnScale fitted(std::vector<double> training, const std::string& metric = "m") {
    return fit_scale(column(metric, "_mean"), std::vector<std::string>{"heavy"}, training);
}

std::vector<double> applied(const ColumnScale& scale, std::vector<double> values) {
    scale.apply(values);
    return values;
}

}  // namespace

TEST_CASE("quartiles are those of the sorted values, whatever their number and spread") {
    std::mt19937_64 random(7);
    INFO("seed 7");
    std::vector<std::vector<double>> sets;
    for (const std::size_t n : {1, 2, 3, 4, 5, 255, 256, 257, 1000, 28750}) {
        std::vector<double> even, heavy, few, wild;
        for (std::size_t i = 0; i < n; ++i) {
            const double u = std::generate_canonical<double, 53>(random);
            even.push_back(u);
            heavy.push_back(std::exp(30 * u));
            few.push_back(std::floor(u * 3));
            wild.push_back((u - 0.5) * 1e308);
        }
        for (auto* set : {&even, &heavy, &few, &wild})
            sets.push_back(*set);
        sets.push_back(std::vector<double>(n, 0.1));
        even.back() = 1e300;  // all others in one bucket
        sets.push_back(even);
        heavy.assign(n, 0);
        heavy.back() = 5e-324;  // narrower than a bucket can be
        sets.push_back(heavy);
    }
    for (std::vector<double>& set : sets) {
        std::vector<double> sorted = set;
        std::sort(sorted.begin(), sorted.end());
        const auto at = [&](double share) {
            const double rank = share * static_cast<double>(sorted.size() - 1);
            const auto below = static_cast<std::size_t>(rank);
            const double low = sorted[below];
            const double high = sorted[std::min(below + 1, sorted.size() - 1)];
            return low + (high - low) * (rank - static_cast<double>(below));
        };
        const double q25 = at(0.25), q50 = at(0.5), q75 = at(0.75);
        const Quartiles found = quartiles(set);
        CHECK(found.q25 == q25);
        CHECK(found.q50 == q50);
        CHECK(found.q75 == q75);
    }
}

TEST_CASE("a column gets median 0 and interquartile range 1, and what is missing the median") {
    const ColumnScale scale = fitted({5, 1, 4, missing, 2, 3});
    CHECK(scale.count == 5);
    CHECK(scale.median == 3);
    CHECK(scale.iqr == 2);
    CHECK(applied(scale, {3, 5, missing, -1}) == std::vector<double>{0, 1, 0, -2});
}

TEST_CASE("a column that does not vary is divided by 1") {
    const ColumnScale scale = fitted({7, 7, 7});
    CHECK(scale.iqr == 1);
    CHECK(applied(scale, {7, 9}) == std::vector<double>{0, 2});
}

TEST_CASE("a column that was never measured in training stays as it is") {
    const ColumnScale scale = fitted({missing, missing});
    CHECK_FALSE(scale.scaled);
    const auto values = applied(scale, {missing, 4});
    CHECK(std::isnan(values[0]));
    CHECK(values[1] == 4);
}

TEST_CASE("hours and days stay as they are") {
    std::vector<double> training = {1, 2, 3};
    CHECK_FALSE(fit_scale(column("", "hour"), {}, training).scaled);
}

TEST_CASE("levels of metrics with heavy tails are scaled by their logarithm") {
    const ColumnScale scale = fitted({0, std::expm1(1.0), std::expm1(2.0)}, "heavy");
    CHECK(scale.log1p);
    CHECK(scale.median == Approx(1).epsilon(1e-15));
    const auto values = applied(scale, {std::expm1(3.0), -5, missing});
    CHECK(values[0] == Approx(2).epsilon(1e-14));
    CHECK(values[1] == Approx(-1).epsilon(1e-14));  // as 0
    CHECK(values[2] == 0);
    const std::vector<std::string> heavy = {"heavy"};
    CHECK(takes_logarithm(column("heavy", "_q95"), heavy));
    CHECK_FALSE(takes_logarithm(column("heavy", "_slope"), heavy));
    CHECK_FALSE(takes_logarithm(column("heavy", "_std"), heavy));
    CHECK_FALSE(takes_logarithm(column("heavy_too", "_mean"), heavy));
}

TEST_CASE("the parameters are told by column") {
    const std::vector<module::FeatureColumn> columns = {column("a", "_mean"), column("b", "_mean")};
    std::vector<ColumnScale> scales = {fitted({1, 2, 3}), fitted({missing})};
    const Json told = to_json(columns, scales);
    REQUIRE(told.size() == 1);
    CHECK(told["a_mean"]["median"] == 2);
    CHECK(told["a_mean"]["iqr"] == 1);
    CHECK(told["a_mean"]["log1p"] == false);
}
