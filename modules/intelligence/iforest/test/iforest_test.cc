#include "modules/intelligence/iforest/iforest.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace amoskys;

namespace {

module::FeatureTable small_table() {
    module::FeatureTable table{{"cpu", "load"}, {}};
    for (int i = 0; i < 64; ++i) {
        table.values.push_back(std::sin(i));
        table.values.push_back(i % 7);
    }
    return table;
}

Json saved_model() {
    return iforest::train(small_table(), 9, {{"trees", 5U}}).value()->save();
}

std::string load_message(const Json& saved) {
    const auto loaded = iforest::load(saved);
    return loaded ? "" : loaded.error().message;
}

}  // namespace

TEST_CASE("a saved and loaded model gives the same scores and reasons to the bit") {
    const auto table = small_table();
    const auto trained = iforest::train(table, 9, Json::object()).value();
    const auto text = json::dump(trained->save());
    const auto loaded = iforest::load(json::parse(text, "model").value()).value();
    CHECK(std::vector<std::string>(loaded->columns().begin(), loaded->columns().end()) ==
          table.columns);
    for (std::size_t i = 0; i < table.rows(); ++i)
        CHECK(loaded->score(table.row(i)) == trained->score(table.row(i)));
    const auto a = trained->explain(table.row(3), 1), b = loaded->explain(table.row(3), 1);
    REQUIRE(a.size() == 1);
    CHECK(a[0].column == b[0].column);
    CHECK(a[0].share == b[0].share);
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
    const auto one = iforest::train({{"a"}, {1.0}}, 0, Json::object());
    REQUIRE_FALSE(one);
    CHECK(one.error().kind == ErrorKind::bad_data);
    CHECK(one.error().message == "iforest: the table has 1 rows; 2 are needed");
    CHECK_FALSE(iforest::train({}, 0, Json::object()));
}

TEST_CASE("load refuses a newer format") {
    auto saved = saved_model();
    saved["format"] = 2;
    CHECK(load_message(saved) ==
          "iforest model: format 2 is not known; this version reads format 1");
}

TEST_CASE("load refuses trees that a walk could leave or circle in") {
    auto saved = saved_model();
    CHECK(load_message(saved).empty());
    auto& tree = saved["trees"][0];
    SECTION("branch outside the tree") {
        tree["right"][0] = 100'000;
        CHECK(load_message(saved) == "iforest model: a tree's branch leads outside of it");
    }
    SECTION("branch back to itself") {
        tree["right"][0] = 0;
        CHECK(load_message(saved) == "iforest model: a tree's branch leads outside of it");
    }
    SECTION("branch into the left subtree") {
        tree["right"][0] = 2;
        CHECK(load_message(saved) == "iforest model: a tree's nodes are not in preorder");
    }
    SECTION("column that does not exist") {
        tree["feature"][0] = 2;
        CHECK(load_message(saved) ==
              "iforest model: a tree splits on a column that does not exist");
    }
    SECTION("lists of different lengths") {
        tree["threshold"].erase(0);
        CHECK(load_message(saved).find("threshold must be a list of") != std::string::npos);
    }
    SECTION("text for a number") {
        tree["right"][0] = "1";
        CHECK(load_message(saved) == "iforest model: right holds something that is no number");
    }
    SECTION("no trees") {
        saved["trees"] = Json::array();
        CHECK(load_message(saved) == "iforest model: trees must be a list of 1 to 10000 trees");
    }
    SECTION("medians of other columns") {
        saved["median"].push_back(1);
        CHECK(load_message(saved) == "iforest model: median must be a list of 2 numbers");
    }
    SECTION("no object at all") {
        CHECK(load_message(Json(3)) == "iforest model: an object is needed");
    }
}
