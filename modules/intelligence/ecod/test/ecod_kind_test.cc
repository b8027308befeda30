#include "core/module/test/model_checks.h"
#include "modules/intelligence/ecod/ecod.h"

using namespace amoskys;

TEST_CASE("ecod keeps what is asked of every model") {
    module::test::check_model(&ecod::train, &ecod::load, module::test::Outlier::is_explained);
}

TEST_CASE("ecod takes bad input without a crash") {
    module::test::check_bad_input(&ecod::train);
}

TEST_CASE("ecod sums the tails of the columns on the side of their skewness") {
    module::FeatureTable table{{"a"}, {}, {}};
    for (const double value : {1.0, 2.0, 3.0, 10.0})  // skewed to the right
        table.values.push_back(value);
    const auto model = ecod::train(table, 0, Json::object()).value();
    double score = 0;
    model->score(std::vector<double>{10}, std::span(&score, 1));
    CHECK(score == Approx(std::log(4)));
    model->score(std::vector<double>{2}, std::span(&score, 1));
    CHECK(score == Approx(std::log(2)));  // two of four are at most 2
    model->score(std::vector<double>{11}, std::span(&score, 1));
    CHECK(score == Approx(std::log(8)));
}
