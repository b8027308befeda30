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
