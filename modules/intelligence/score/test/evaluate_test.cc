#include "modules/intelligence/score/evaluate.h"

#include <catch2/catch.hpp>
#include <utility>

using namespace amoskys;
using namespace amoskys::score;

TEST_CASE("measures equal the values worked out by hand") {
    // Sorted: .9+ .8- .7+ .6- .5-   pairs won: 3 + 2 of 6
    const std::vector<double> scores = {0.6, 0.9, 0.7, 0.8, 0.5};
    const std::vector<bool> labels = {false, true, true, false, false};
    const auto found = evaluate(scores, labels, {false, true, false, true, false}).value();
    CHECK(found.roc_auc == Approx(5.0 / 6));
    CHECK(found.average_precision == Approx(0.5 * 1 + 0.5 * 2 / 3));
    CHECK(found.best_f1 == Approx(0.8));  // at .7: precision 2/3, recall 1
    CHECK(found.precision == Approx(0.5));
    CHECK(found.recall == Approx(0.5));
    CHECK(found.f1 == Approx(0.5));
}

TEST_CASE("equal scores count half in ROC-AUC and at once in average precision") {
    const std::vector<double> scores = {1, 1, 1, 1};
    const auto found =
        evaluate(scores, {true, false, false, false}, std::vector<bool>(4, true)).value();
    CHECK(found.roc_auc == 0.5);
    CHECK(found.average_precision == 0.25);
}

TEST_CASE("nothing flagged has precision, recall and F1 of zero") {
    const std::vector<double> scores = {1, 2};
    const auto found = evaluate(scores, {false, true}, {false, false}).value();
    CHECK(found.precision == 0);
    CHECK(found.f1 == 0);
    CHECK(found.best_f1 == 1);
}

TEST_CASE("labels of one class are refused") {
    const std::vector<double> scores = {1, 2};
    const auto refused = evaluate(scores, {true, true}, {true, true});
    REQUIRE(refused.has_error());
    CHECK(refused.error().message ==
          "all 2 labels are the same; anomalies and normal rows are needed");
}

TEST_CASE("measures equal scikit-learn's and the published VUS-PR on a series with ties") {
    std::vector<double> scores;
    std::vector<bool> labels(400, false);
    for (const auto& [first, last] :
         std::vector<std::pair<int, int>>{{40, 60}, {100, 103}, {130, 140}, {390, 400}})
        std::fill(labels.begin() + first, labels.begin() + last, true);
    std::uint32_t state = 12345;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        state = state * 1664525U + 1013904223U;
        scores.push_back((state >> 16U) % 50 / 10.0 + (labels[i] ? 1.5 : 0));
    }
    const auto found = evaluate(scores, labels, labels).value();
    // sklearn.metrics 1.2.1: roc_auc_score, average_precision_score, precision_recall_curve
    CHECK(found.roc_auc == Approx(0.7733372418734936).epsilon(1e-12));
    CHECK(found.average_precision == Approx(0.5695190098713003).epsilon(1e-12));
    CHECK(found.best_f1 == Approx(0.6129032258064516).epsilon(1e-12));
    // TSB-AD's definition, worked out with numpy
    CHECK(vus_pr(scores, labels, 0) == Approx(0.563937614522463).epsilon(1e-12));
    CHECK(vus_pr(scores, labels, 20) == Approx(0.6213484905143171).epsilon(1e-12));
    CHECK(found.vus_pr == Approx(0.7331383327972104).epsilon(1e-12));
    CHECK(found.f1 == 1);
}

TEST_CASE("quantile is linear between the order statistics") {
    CHECK(quantile({3, 1, 2, 4}, 0.5) == 2.5);
    CHECK(quantile({1, 2}, 0.99) == Approx(1.99));
    CHECK(quantile({7}, 0.99) == 7);
}
