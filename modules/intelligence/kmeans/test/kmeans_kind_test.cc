#include "core/module/test/model_checks.h"
#include "modules/intelligence/kmeans/kmeans.h"

using namespace amoskys;

TEST_CASE("kmeans keeps what is asked of every model") {
    module::test::check_model(&kmeans::train, &kmeans::load);
}

TEST_CASE("kmeans takes bad input without a crash") {
    module::test::check_bad_input(&kmeans::train);
}

TEST_CASE("kmeans knows a course by its shape: a flat stretch of a wave is unusual") {
    auto table = module::test::waves(1500);
    const auto model = kmeans::train(table, 1, {{"clusters", 30U}}).value();
    CHECK(model->history() == 19);
    for (std::size_t i = 1000; i < 1040; ++i)
        table.values[i * 4 + 1] = 10;  // a usual value, but it moves no more
    const auto scores = module::test::scores_of(*model, table);
    const auto highest = std::max_element(scores.begin(), scores.end()) - scores.begin();
    CHECK(highest >= 1000);
    CHECK(highest < 1060);
}
