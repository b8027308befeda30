#include "modules/transformation/key_metrics/key_metrics.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <map>

using namespace amoskys;
using namespace amoskys::key_metrics;

namespace {

constexpr UnixNanos second = 1'000'000'000;

struct Data {
    std::string metric;
    std::vector<UnixNanos> times;
    std::vector<double> values;

    Data(std::string name, std::vector<double> given, unsigned distance_s = 10)
        : metric(std::move(name)), values(std::move(given)) {
        for (std::size_t i = 0; i < values.size(); ++i)
            times.push_back(i * distance_s * second);
    }
    module::Series series(std::size_t id = 0) const {
        return {id, metric, "percent", times, values, values, nullptr};
    }
};

module::ExtractorSettings keys(std::vector<std::string> metrics) {
    module::ExtractorSettings settings;
    settings.key_metrics = std::move(metrics);
    return settings;
}

// The row of one window by column name.
std::map<std::string, double> row_of(const std::vector<Data>& data,
                                     const module::ExtractorSettings& settings) {
    module::ColumnTable columns;
    const auto extractor = make_extractor(columns, settings);
    std::vector<module::Series> series;
    for (const Data& one : data)
        series.push_back(one.series(series.size()));
    module::FeatureRow row;
    extractor->extract({"d", 0, 60 * second, series}, row);
    std::map<std::string, double> out;
    for (std::size_t i = 0; i < row.values().size(); ++i)
        out[columns.columns()[i].name] = row.values()[i];
    return out;
}

}  // namespace

TEST_CASE("correlation of series worked out by hand") {
    // deviations -1 0 1 and -3 1 2: 5 / sqrt(2 * 14)
    CHECK(correlation(Data("a", {1, 2, 3}).series(), Data("b", {1, 5, 6}).series()) ==
          Approx(5 / std::sqrt(28.0)).epsilon(1e-14));
    CHECK(correlation(Data("a", {1, 2, 3}).series(), Data("b", {-1, -2, -3}).series()) ==
          Approx(-1).epsilon(1e-15));
}

TEST_CASE("correlation is of common times only and missing where it is not defined") {
    // every 10 s and every 20 s: 0, 20 and 40 s are common
    CHECK(correlation(Data("a", {0, 9, 1, -9, 2}).series(),
                      Data("b", {5, 6, 7, 100}, 20).series()) == Approx(1).epsilon(1e-15));
    CHECK(std::isnan(correlation(Data("a", {0, 1}).series(), Data("b", {0, 1}).series())));
    CHECK(std::isnan(
        correlation(Data("a", {0.1, 0.1, 0.1}).series(), Data("b", {0, 1, 2}).series())));
    CHECK(std::isnan(correlation(Data("a", {1, 2, 3}).series(), Data("b", {1, 2, 3}, 7).series())));
}

TEST_CASE("rolling statistics are of the last samples or of what there is") {
    const std::vector<double> recent = {100, 1, 2, 3, 4, 5};
    const Rolling five = rolling(recent, 5);
    CHECK(five.mean == 3);
    CHECK(five.std == Approx(std::sqrt(2.5)).epsilon(1e-15));
    CHECK(five.max == 5);
    CHECK(rolling(recent, 30).max == 100);
    CHECK(std::isnan(rolling(std::span(recent).first(1), 5).std));
    CHECK(rolling(std::vector<double>(7, 0.1), 10).std == 0);
}

TEST_CASE("each pair of key metrics in the window has a correlation and a ratio") {
    const auto row = row_of({{"net", {1, 2, 3}}, {"cpu", {2, 4, 6}}, {"else", {1, 2, 3}}},
                            keys({"cpu", "absent", "net"}));
    CHECK(row.at("corr_cpu_net") == Approx(1).epsilon(1e-15));
    CHECK(row.at("ratio_cpu_net") == 2);
    CHECK(row.at("cpu_roll_mean_10") == 4);
    CHECK(row.at("net_roll_max_30") == 3);
    CHECK(row.size() == 2 + 2 * 9);
}

TEST_CASE("a ratio to nothing is missing") {
    const auto row = row_of({{"a", {1, 2, 3}}, {"b", {0, 0, 0}}}, keys({"a", "b"}));
    CHECK(std::isnan(row.at("ratio_a_b")));
    CHECK(std::isnan(row.at("corr_a_b")));
}

TEST_CASE("a threshold is passed by a sample above it and not by one on it") {
    module::ExtractorSettings settings;
    settings.thresholds = {{"cpu", 80}, {"io", 1000}};
    const auto row = row_of({{"cpu", {10, 81, 10}}, {"io", {1000, 1, 1}}}, settings);
    CHECK(row.at("cpu_over") == 1);
    CHECK(row.at("io_over") == 0);
    CHECK(row.size() == 2);
}
