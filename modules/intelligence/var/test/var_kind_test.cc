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
    const auto why = module::test::why_of(*model, table.rows_of(700, 720));
    CHECK(why.expected[0] == Approx(std::sin(719.0 / 20)).margin(0.05));
    auto moved = table;
    moved.values[719 * 4] = -moved.values[719 * 4];  // a usual value at the wrong time
    const auto broken = module::test::why_of(*model, moved.rows_of(700, 720));
    CHECK(broken.parts[0] > 10 * why.parts[0]);
}

TEST_CASE("var learns nothing across the border of two devices") {
    auto table = module::test::waves(40);
    table.series = {0, 3, 6};  // all but the last too short for five lags
    CHECK(var::train(table, 0, Json::object()));
    table.values.resize(9 * 4);
    table.series = {0, 3, 6};
    const auto model = var::train(table, 0, Json::object()).value();
    for (const double score : module::test::scores_of(*model, table))
        CHECK(std::isfinite(score));
}

TEST_CASE("var forecasts a wave, with margins that hold nine of ten and widen") {
    const auto table = module::test::waves(1500);
    const auto model = var::train(table, 0, {{"ridge", 0.001}, {"lags", 10U}}).value();
    double inside = 0, count = 0;
    for (std::size_t now = 1000; now < 1400; ++now) {
        const auto ahead = var::forecast(*model, table.rows_of(now - 20, now + 1), 8);
        REQUIRE(ahead.values.size() == 8 * 4);
        const double value = table.row(now + 8)[1];
        CHECK(ahead.values[7 * 4 + 1] == Approx(value).margin(1));
        inside += std::abs(ahead.values[7 * 4 + 1] - value) <= ahead.margins[7 * 4 + 1] ? 1 : 0;
        ++count;
        CHECK(ahead.margins[7 * 4 + 1] >= ahead.margins[1] / 2);
    }
    CHECK(inside / count > 0.75);
}
