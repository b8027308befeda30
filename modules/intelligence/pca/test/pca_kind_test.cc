#include "core/module/test/model_checks.h"
#include "modules/intelligence/pca/pca.h"

using namespace amoskys;

TEST_CASE("pca keeps what is asked of every model") {
    module::test::check_model(&pca::train, &pca::load);
}

TEST_CASE("pca takes bad input without a crash") {
    module::test::check_bad_input(&pca::train);
}

TEST_CASE("pca sees a broken relation that no single column shows") {
    const auto table = module::test::waves(600);
    const auto model = pca::train(table, 0, {{"variance", 0.6}}).value();
    double usual = 0, broken = 0;
    model->score(std::vector<double>{1, 13, 0, 41}, std::span(&usual, 1));
    model->score(std::vector<double>{1, 7, 0, 41}, std::span(&broken, 1));
    CHECK(broken > 2 * usual);
}
