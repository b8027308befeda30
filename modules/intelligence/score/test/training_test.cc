#include "modules/intelligence/score/training.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "modules/intelligence/score/report.h"
#include "modules/intelligence/score/test/plain_model.h"

using namespace amoskys;
using namespace amoskys::score;
using namespace amoskys::score::test;

namespace {

double noise(std::uint32_t& state) {
    state = state * 1664525U + 1013904223U;
    return static_cast<double>(state >> 8U) / 16777216.0;
}

}  // namespace

TEST_CASE("a severity is how rare the score was in training, rising without end above it") {
    std::uint32_t state = 1;
    std::vector<double> scores;
    for (int i = 0; i < 20000; ++i)
        scores.push_back(-std::log(noise(state) + 1e-9));  // exponential
    const Tail tail(scores);
    for (const double p : {0.5, 0.1, 0.03, 0.01, 1e-3})
        CHECK(tail.severity(-std::log(p)) == Approx(-std::log10(p)).epsilon(0.08));
    CHECK(tail.severity(-5) == 0);
    double before = 0;
    for (double score = 0.01; score < 1e6; score *= 1.1) {
        CHECK(tail.severity(score) > before);
        before = tail.severity(score);
    }
    CHECK(published(3) == Approx(0.8).margin(0.0005));
    CHECK(severity_of(published(2.5)) == Approx(2.5));
}

TEST_CASE("equal training scores are no surprise, anything above them is") {
    const Tail tail(std::vector<double>(50, 2.0));
    CHECK(tail.severity(2) == 0);
    CHECK(tail.severity(1) == 0);
    CHECK(tail.severity(2.1) > 1.5);
    CHECK(Tail(std::vector<double>{7}).severity(7) == 0);
}

TEST_CASE("fusions are the earlier system's: its own three signals") {
    const double severities[] = {severity_of(.85), severity_of(.72), severity_of(.65)};
    const double weights[] = {.35, .25, .10};
    const auto score = [&](Fusion fusion) {
        return published(fuse(fusion, severities, weights).severity);
    };
    CHECK(score(Fusion::weighted) == Approx(0.775));
    CHECK(score(Fusion::bayesian) == Approx(0.964364).epsilon(1e-5));
    CHECK(score(Fusion::maximum) == Approx(.85));
    CHECK(fuse(Fusion::mean, severities, weights).severity ==
          Approx((severities[0] + severities[1] + severities[2]) / 3));
    CHECK(fuse(Fusion::mean, severities, weights).spread > 0);
    CHECK(fuse(Fusion::mean, std::span(severities).first(1), weights).spread == 0);
}

TEST_CASE("scores of ordered kinds are trailing means that do not cross a series") {
    KeyedTable table = parse_table("device,a\nx,0\nx,10\nx,20\ny,7\ny,9\n", "t.csv", {}).value();
    const Largest largest(1);
    CHECK(Ensemble::smoothed(largest, 2, table.features) == std::vector<double>{0, 5, 15, 7, 8});
    CHECK(Ensemble::smoothed(largest, 1, table.features) == std::vector<double>{0, 10, 20, 7, 9});
}

TEST_CASE("the quantile rule flags what lies above the quantile of the training severities") {
    const TrainedModel model = trained();
    CHECK(model.threshold.rule == Rule::quantile);
    const auto table = hundred_rows();
    std::size_t flagged = 0;
    for (const Finding& finding : findings_of(model, table.features))
        flagged += finding.verdict.anomaly ? 1 : 0;
    CHECK(flagged == 1);
}

TEST_CASE("the rolling rule opens at six deviations, holds, and follows a lasting change") {
    std::uint32_t state = 5;
    std::vector<double> training;
    for (int i = 0; i < 3000; ++i)
        training.push_back(noise(state));
    const ThresholdRule rule = make_threshold(Rule::rolling, 0.99, training);
    Judge judge(rule);
    int flagged = 0;
    for (int i = 0; i < 200; ++i)
        flagged += judge.judge(noise(state)).anomaly ? 1 : 0;
    CHECK(flagged == 0);
    CHECK(judge.judge(9).anomaly);
    for (int i = 0; i < 9; ++i)
        CHECK(judge.judge(0.5).anomaly);
    CHECK_FALSE(judge.judge(0.5).anomaly);
    for (int i = 0; i < 10'080; ++i)
        judge.judge(5 + noise(state));
    CHECK_FALSE(judge.judge(5.5).anomaly);
}

TEST_CASE("the spot rule passes about one row in a thousand and learns from the peaks") {
    std::uint32_t state = 9;
    std::vector<double> training;
    for (int i = 0; i < 5000; ++i)
        training.push_back(-std::log10(noise(state) + 1e-9));
    const ThresholdRule rule = make_threshold(Rule::spot, 0.99, training);
    Judge judge(rule);
    int flagged = 0;
    for (int i = 0; i < 20'000; ++i)
        flagged += judge.judge(-std::log10(noise(state) + 1e-9)).anomaly ? 1 : 0;
    CHECK(flagged >= 4);
    CHECK(flagged <= 60);
    CHECK(judge.judge(9).anomaly);
}

TEST_CASE("k of n rows confirm an anomaly") {
    ThresholdRule rule = make_threshold(Rule::quantile, 0.5, std::vector<double>{1, 1, 1});
    rule.confirm = 2;
    rule.within = 3;
    Judge judge(rule);
    std::vector<bool> found;
    for (const double severity : {2.0, 0.0, 2.0, 0.0, 0.0, 2.0, 2.0})
        found.push_back(judge.judge(severity).anomaly);
    CHECK(found == std::vector<bool>{false, false, true, false, false, false, true});
}

TEST_CASE("a fused model takes the kinds that are members, with their own parameters") {
    const TrainedModel model = trained("fused");
    CHECK(model.ensemble.members.size() == 2);
    const auto unknown = train(known_kinds, hundred_rows(),
                               {.name = "m", .kind = "fused", .parameters = {{"other.x", 1U}}});
    REQUIRE(unknown.has_error());
    CHECK(unknown.error().message == "fused has no parameter 'other.x'");
}

TEST_CASE("drift is seen where a column is spread otherwise than in training") {
    std::uint32_t state = 3;
    module::FeatureTable before{{"same", "moved", "empty"}, {}, {}}, after = before;
    for (int i = 0; i < 2000; ++i) {
        const double missing = std::nan("");
        before.values.insert(before.values.end(), {noise(state), noise(state), missing});
        after.values.insert(after.values.end(), {noise(state), noise(state) + 0.5, missing});
    }
    const Spread spread = Spread::of(before);
    const auto drift = spread.drift(after);
    CHECK(drift[0].psi < 0.05);
    CHECK_FALSE(drift[0].drifted());
    CHECK(drift[1].ks == Approx(0.5).margin(0.05));
    CHECK(drift[1].drifted());
    CHECK(drift[2].psi == 0);
    const auto saved = model::Saved::decode(as_bytes(spread.save().encode())).value();
    CHECK(Spread::load(saved, 3).value().drift(after)[1].psi == drift[1].psi);
    CHECK(Spread::load(saved, 2).has_error());
}

TEST_CASE("rows of a device are brought together as one series") {
    const auto table =
        parse_table("device,a,label\nx,1,0\ny,2,1\nx,3,0\ny,4,0\n", "t.csv", {.label = "label"})
            .value();
    CHECK(table.devices == std::vector<std::string>{"x", "x", "y", "y"});
    CHECK(table.features.values == std::vector<double>{1, 3, 2, 4});
    CHECK(table.labels == std::vector<bool>{false, false, true, false});
    CHECK(table.features.series == std::vector<std::size_t>{0, 2});
}
