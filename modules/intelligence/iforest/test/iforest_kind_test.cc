#include "core/module/test/model_checks.h"
#include "modules/intelligence/iforest/iforest.h"

using namespace amoskys;

TEST_CASE("iforest keeps what is asked of every model") {
    module::test::check_model(&iforest::train, &iforest::load, module::test::Outlier::is_explained);
}

TEST_CASE("iforest takes bad input without a crash") {
    module::test::check_bad_input(&iforest::train);
}
