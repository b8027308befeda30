#include "core/module/test/model_checks.h"
#include "modules/intelligence/zscore/zscore.h"

using namespace amoskys;

TEST_CASE("zscore keeps what is asked of every model") {
    module::test::check_model(&zscore::train, &zscore::load);
}

TEST_CASE("zscore takes bad input without a crash") {
    module::test::check_bad_input(&zscore::train);
}

TEST_CASE("zscore is the distance in deviations, and a single column is seen over 100 rows") {
    const module::FeatureTable table{{"a", "b"}, {1, 0, 3, 0}, {}};
    const auto model = zscore::train(table, 0, Json::object()).value();
    CHECK(model->history() == 0);
    double score = 0;
    model->score(std::vector<double>{5, 0.04}, std::span(&score, 1));
    CHECK(score == Approx(std::log1p(std::hypot(3, 4))));  // b: floor of .01
    module::FeatureTable single{{"a"}, {}, {}};
    for (int i = 0; i < 200; ++i)
        single.values.push_back(i % 2);
    const auto long_window = zscore::train(single, 0, Json::object()).value();
    CHECK(long_window->history() == 99);
    long_window->score(single.values, std::span(&score, 1));
    CHECK(score == Approx(std::log1p(10)));  // a hundred values, each one deviation off
}

TEST_CASE("a robust zscore forgets outliers of training") {
    module::FeatureTable table{{"a", "b"}, {}, {}};
    for (int i = 0; i < 1000; ++i) {
        table.values.push_back(i % 100 == 0 ? 100 : i % 10);
        table.values.push_back(0);
    }
    double plain = 0, robust = 0;
    const std::vector<double> row = {30, 0};
    zscore::train(table, 0, Json::object()).value()->score(row, std::span(&plain, 1));
    zscore::train(table, 0, {{"robust", 1U}}).value()->score(row, std::span(&robust, 1));
    CHECK(robust > plain + 0.5);
}

TEST_CASE("zscore of statistics sees a metric that stands still") {
    auto table = module::test::waves(1000);
    const auto model = zscore::train(table, 0, {{"statistics", 20U}}).value();
    CHECK(model->history() == 19);
    for (std::size_t i = 700; i < 740; ++i)
        table.values[i * 4 + 2] = 0;
    const auto scores = module::test::scores_of(*model, table);
    const auto highest = std::max_element(scores.begin(), scores.end()) - scores.begin();
    CHECK(highest >= 705);
    CHECK(highest < 745);
    const auto saved = model::Saved::decode(as_bytes(model->save().encode())).value();
    CHECK(module::test::scores_of(*zscore::load(saved, 4).value(), table) == scores);
}
