#include "modules/intelligence/score/evaluate.h"

#include <catch2/catch.hpp>

using namespace amoskys;
using namespace amoskys::score;

TEST_CASE("measures equal the values worked out by hand") {
    // Sorted: .9+ .8- .7+ .6- .5-   pairs won: 3 + 2 of 6
    const std::vector<double> scores = {0.6, 0.9, 0.7, 0.8, 0.5};
    const std::vector<bool> labels = {false, true, true, false, false};
    const auto found = evaluate(scores, labels, 0.75).value();
    CHECK(found.roc_auc == Approx(5.0 / 6));
    CHECK(found.average_precision == Approx(0.5 * 1 + 0.5 * 2 / 3));
    CHECK(found.best_f1 == Approx(0.8));  // at .7: precision 2/3, recall 1
    CHECK(found.precision == Approx(0.5));
    CHECK(found.recall == Approx(0.5));
    CHECK(found.f1 == Approx(0.5));
}

TEST_CASE("equal scores count half in ROC-AUC and at once in average precision") {
    const std::vector<double> scores = {1, 1, 1, 1};
    const auto found = evaluate(scores, {true, false, false, false}, 0).value();
    CHECK(found.roc_auc == 0.5);
    CHECK(found.average_precision == 0.25);
}

TEST_CASE("a threshold that nothing exceeds has precision, recall and F1 of zero") {
    const std::vector<double> scores = {1, 2};
    const auto found = evaluate(scores, {false, true}, 2).value();
    CHECK(found.precision == 0);
    CHECK(found.f1 == 0);
    CHECK(found.best_f1 == 1);
}

TEST_CASE("labels of one class are refused") {
    const std::vector<double> scores = {1, 2};
    const auto refused = evaluate(scores, {true, true}, 0);
    REQUIRE(refused.has_error());
    CHECK(refused.error().message ==
          "all 2 labels are the same; anomalies and normal rows are needed");
}

TEST_CASE("quantile is linear between the order statistics") {
    CHECK(quantile({3, 1, 2, 4}, 0.5) == 2.5);
    CHECK(quantile({1, 2}, 0.99) == Approx(1.99));
    CHECK(quantile({7}, 0.99) == 7);
}
