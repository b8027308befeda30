#include "core/module/test/model_checks.h"
#include "modules/intelligence/var/var.h"

using namespace amoskys;

TEST_CASE("var keeps what is asked of every model") {
    module::test::check_model(&var::train, &var::load);
}

TEST_CASE("var takes bad input without a crash") {
    module::test::check_bad_input(&var::train);
}

TEST_CASE("var predicts a wave, and expects what it predicts") {
    const auto table = module::test::waves(800);
    const auto model = var::train(table, 0, {{"ridge", 0.001}}).value();
    const auto why = model->explain(table.rows_of(700, 720), 3);
    for (const auto& part : why)
        if (part.column == 0)
            CHECK(part.expected == Approx(std::sin(719.0 / 20)).margin(0.05));
    auto moved = table;
    moved.values[719 * 3] = -moved.values[719 * 3];  // a usual value at the wrong time
    const auto broken = model->explain(moved.rows_of(700, 720), 1);
    REQUIRE(broken.size() == 1);
    CHECK(broken[0].column == 0);
}

TEST_CASE("var learns nothing across the border of two devices") {
    auto table = module::test::waves(40);
    table.series = {0, 3, 6};  // all but the last too short for five lags
    CHECK(var::train(table, 0, Json::object()));
    table.values.resize(9 * 3);
    table.series = {0, 3, 6};
    const auto model = var::train(table, 0, Json::object()).value();
    for (const double score : module::test::scores_of(*model, table))
        CHECK(std::isfinite(score));
}
