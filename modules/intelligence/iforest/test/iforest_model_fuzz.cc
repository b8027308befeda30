#include "core/module/test/model_fuzz.h"
#include "modules/intelligence/iforest/iforest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    amoskys::module::test::fuzz_saved_model({data, size}, amoskys::iforest::load);
    return 0;
}
