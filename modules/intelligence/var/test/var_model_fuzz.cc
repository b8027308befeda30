#include "core/module/test/model_fuzz.h"
#include "modules/intelligence/var/var.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    amoskys::module::test::fuzz_saved_model({data, size}, amoskys::var::load);
    return 0;
}
