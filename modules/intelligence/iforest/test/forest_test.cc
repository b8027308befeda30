#include "modules/intelligence/iforest/forest.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <numeric>

#include "modules/intelligence/iforest/random.h"

using namespace amoskys;
using namespace amoskys::iforest;

namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

// A cloud around (0, 0, 0) and one row far away in the second column, at the end.
module::FeatureTable cloud_with_outlier() {
    module::FeatureTable table{{"a", "b", "c"}, {}};
    Random random(7);
    for (int i = 0; i < 400; ++i)
        for (int column = 0; column < 3; ++column)
            table.values.push_back(random.uniform() + random.uniform() + random.uniform() - 1.5);
    for (const double value : {0.0, 8.0, 0.0})
        table.values.push_back(value);
    return table;
}

}  // namespace

TEST_CASE("average path length follows the paper's c(n)") {
    CHECK(average_path(1) == 0);
    CHECK(average_path(2) == 1);
    CHECK(average_path(3) == Approx(2 * (std::log(2.0) + 0.5772156649015329) - 4.0 / 3));
    CHECK(average_path(256) == Approx(10.244770920116851).epsilon(1e-12));
}

TEST_CASE("a row far from the cloud scores highest and its column explains it") {
    const auto table = cloud_with_outlier();
    const Forest forest = build_forest(table, {}, 1);
    const std::size_t last = table.rows() - 1;
    const double outlier = forest_score(forest, table.row(last));
    CHECK(outlier > 0.6);
    for (std::size_t i = 0; i < last; ++i)
        CHECK(forest_score(forest, table.row(i)) < outlier);
    const auto shares = forest_shares(forest, table.row(last));
    CHECK(shares[1] > 0.8);
    CHECK(std::accumulate(shares.begin(), shares.end(), 0.0) == Approx(1));
}

TEST_CASE("scores stay between 0 and 1") {
    const auto table = cloud_with_outlier();
    const Forest forest = build_forest(table, {}, 3);
    for (const double value : {-1e300, -1.0, 0.0, 1e300, missing}) {
        const double row[] = {value, value, value};
        const double score = forest_score(forest, row);
        CHECK(score > 0);
        CHECK(score < 1);
    }
}

TEST_CASE("the same seed gives the same forest, another seed another one") {
    const auto table = cloud_with_outlier();
    const auto score = [&](std::uint64_t seed) {
        return forest_score(build_forest(table, {}, seed), table.row(5));
    };
    CHECK(score(42) == score(42));
    CHECK(score(42) != score(43));
}

TEST_CASE("random numbers are those of the reference generator") {
    // splitmix64 of seed 0 begins with e220a8397b1dcdaf, 6e789e6aa1b965f4, 06c45d188009454f,
    // f88bb8a8724c81ec; xoshiro256** of that state gives these.
    Random random(0);
    CHECK(random.next() == 0x99ec5f36cb75f2b4ULL);
    CHECK(random.next() == 0xbf6e1f784956452aULL);
}

TEST_CASE("a missing value counts as the median and explains nothing") {
    auto table = cloud_with_outlier();
    table.values[0] = missing;
    const Forest forest = build_forest(table, {}, 1);
    const double with[] = {forest.ranges[0].median, 0.1, 0.2};
    const double without[] = {missing, 0.1, 0.2};
    CHECK(forest_score(forest, with) == forest_score(forest, without));
    CHECK(forest_shares(forest, without)[0] == 0);
}

TEST_CASE("constant and empty columns never split") {
    module::FeatureTable table{{"constant", "empty", "moves"}, {}};
    for (int i = 0; i < 50; ++i)
        for (const double value : {3.0, missing, static_cast<double>(i)})
            table.values.push_back(value);
    const Forest forest = build_forest(table, {}, 5);
    for (const Tree& tree : forest.trees)
        for (const Node& node : tree)
            CHECK((node.feature == leaf || node.feature == 2));
}

TEST_CASE("a table of equal rows gives a forest of leaves and equal scores") {
    const module::FeatureTable table{{"a"}, std::vector<double>(10, 1.0)};
    const Forest forest = build_forest(table, {}, 5);
    for (const Tree& tree : forest.trees)
        CHECK(tree.size() == 1);
    const double one[] = {1.0}, far[] = {100.0};
    CHECK(forest_score(forest, one) == Approx(0.5));
    CHECK(forest_score(forest, far) == forest_score(forest, one));
    CHECK(forest_shares(forest, far)[0] == 0);
}

TEST_CASE("a column that hardly ever moves does not explain more than one that is far off") {
    module::FeatureTable table{{"errors", "bytes"}, {}};
    Random random(11);
    for (int i = 0; i < 500; ++i) {
        table.values.push_back(i % 50 == 0 ? 1 : 0);
        table.values.push_back(1000 + 100 * random.uniform());
    }
    const Forest forest = build_forest(table, {}, 2);
    CHECK(forest.ranges[0].deviation == Approx(std::sqrt(0.02)));
    const double row[] = {1, 5000};
    CHECK(forest_shares(forest, row)[1] > 0.5);
}
