#include "modules/intelligence/iforest/iforest.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/module/test/model_checks.h"

using namespace amoskys;

namespace {

module::FeatureTable small_table() {
    module::FeatureTable table{{"cpu", "load"}, {}, {}};
    for (int i = 0; i < 64; ++i) {
        table.values.push_back(std::sin(i));
        table.values.push_back(i % 7);
    }
    return table;
}

std::unique_ptr<module::Model> small_model() {
    return iforest::train(small_table(), 9, {{"trees", 5U}}).value();
}

double score_of(const module::Model& model, std::span<const double> row) {
    double out = 0;
    model.score(row, std::span(&out, 1));
    return out;
}

// The saved lists of a forest of one tree: a branch and its two leaves.
struct Lists {
    std::vector<std::uint32_t> sizes = {3}, feature = {1, 0, 0}, right = {2, 1, 1};
    std::vector<float> threshold = {0.5F, 0, 0};
    std::vector<double> median = {0, 0}, deviation = {1, 1};
    std::uint32_t format = 1;

    std::string message() const {
        model::Saved saved("iforest", format);
        saved.put("median", median);
        saved.put("deviation", deviation);
        saved.put_whole("sample", {64});
        saved.put_whole("tree_nodes", sizes);
        saved.put_whole("feature", feature);
        saved.put_floats("threshold", threshold);
        saved.put_whole("right", right);
        const auto loaded = iforest::load(saved, 2);
        return loaded ? "" : loaded.error().message;
    }
};

}  // namespace

TEST_CASE("a saved and loaded forest gives the same scores and reasons to the bit") {
    const auto table = small_table();
    const auto trained = small_model();
    const auto saved = model::Saved::decode(as_bytes(trained->save().encode())).value();
    const auto loaded = iforest::load(saved, 2).value();
    for (std::size_t i = 0; i < table.rows(); ++i)
        CHECK(score_of(*loaded, table.row(i)) == score_of(*trained, table.row(i)));
    CHECK(module::test::why_of(*trained, table.row(3), 2).parts ==
          module::test::why_of(*loaded, table.row(3), 2).parts);
}

TEST_CASE("training names an unknown parameter and a value out of range") {
    const auto unknown = iforest::train(small_table(), 0, {{"tree", 5U}});
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().kind == ErrorKind::usage);
    CHECK(unknown.error().message == "iforest has no parameter 'tree'");
    const auto range = iforest::train(small_table(), 0, {{"trees", 0U}});
    REQUIRE_FALSE(range);
    CHECK(range.error().message == "iforest: trees must be a whole number from 1 to 10000, not 0");
}

TEST_CASE("training refuses a table of one row or without columns") {
    const auto one = iforest::train({{"a"}, {1.0}, {}}, 0, Json::object());
    REQUIRE_FALSE(one);
    CHECK(one.error().kind == ErrorKind::bad_data);
    CHECK(one.error().message == "iforest: the table has 1 rows; 2 are needed");
    CHECK_FALSE(iforest::train({}, 0, Json::object()));
}

TEST_CASE("a missing value counts as the median and explains nothing") {
    const double missing = std::nan("");
    auto table = small_table();
    table.values[0] = missing;
    const auto trained = iforest::train(table, 1, Json::object()).value();
    const double without[] = {missing, 900};
    const double score = score_of(*trained, without);
    CHECK((score > 0 && score < 1));
    const auto why = module::test::why_of(*trained, without, 2);
    CHECK(why.parts[0] == 0);
    CHECK(why.parts[1] > 0);
    const double with[] = {why.expected[0], 900};
    CHECK(score_of(*trained, with) == score);
}

TEST_CASE("scores stay between 0 and 1 for any numbers") {
    const auto trained = small_model();
    for (const double value : {-1e300, -1.0, 0.0, 1e300, std::nan("")}) {
        const double row[] = {value, value};
        const double score = score_of(*trained, row);
        CHECK(score > 0);
        CHECK(score < 1);
    }
}

TEST_CASE("load refuses a newer format and trees that a walk could leave or circle in") {
    Lists lists;
    CHECK(lists.message().empty());
    SECTION("newer") {
        lists.format = 2;
        CHECK(lists.message() ==
              "iforest model: format 2 is not known; this version reads up to format 1");
    }
    SECTION("branch outside the tree") {
        lists.right[0] = 100'000;
        CHECK(lists.message() == "iforest model: a tree's branch leads outside of it");
    }
    SECTION("branch back to itself") {
        lists.right[0] = 0;
        CHECK(lists.message() == "iforest model: a tree's branch leads outside of it");
    }
    SECTION("branch to its left child") {
        lists.right[0] = 1;
        CHECK(lists.message() == "iforest model: a tree's branch leads outside of it");
    }
    SECTION("column that does not exist") {
        lists.feature[0] = 3;
        CHECK(lists.message() == "iforest model: a tree splits on a column that does not exist");
    }
    SECTION("lists of different lengths") {
        lists.threshold.pop_back();
        CHECK(lists.message() == "iforest model: threshold must be a list of 3 numbers");
    }
    SECTION("threshold that is no number") {
        lists.threshold[0] = NAN;
        CHECK(lists.message() == "iforest model: threshold holds something that is no number");
    }
    SECTION("leaf without samples") {
        lists.right[1] = 0;
        CHECK(lists.message() == "iforest model: a leaf has an impossible number of samples");
    }
    SECTION("no trees") {
        lists.sizes.clear();
        CHECK(lists.message() == "iforest model: there must be 1 to 10000 trees");
    }
    SECTION("medians of other columns") {
        lists.median.push_back(1);
        CHECK(lists.message() == "iforest model: median must be a list of 2 numbers");
    }
    SECTION("deviation of 0") {
        lists.deviation[1] = 0;
        CHECK(lists.message() == "iforest model: a deviation is not above 0");
    }
}
