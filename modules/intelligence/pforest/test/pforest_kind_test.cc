#include "core/module/test/model_checks.h"
#include "modules/intelligence/pforest/pforest.h"

using namespace amoskys;

TEST_CASE("pforest keeps what is asked of every model") {
    module::test::check_model(&pforest::train, &pforest::load);
}

TEST_CASE("pforest takes bad input without a crash") {
    module::test::check_bad_input(&pforest::train);
}
