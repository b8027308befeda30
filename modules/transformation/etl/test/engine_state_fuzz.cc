// What an engine saved: any bytes are refused, or an engine that goes on.
#include "core/base/bytes.h"
#include "modules/transformation/etl/engine.h"
#include "modules/transformation/etl/test/feeder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace amoskys;
    using namespace amoskys::etl::test;
    etl::EngineOptions options;
    options.lateness = std::chrono::seconds(20);
    etl::Engine engine({}, options, [](auto&&...) {});
    if (!engine.restore(as_text({data, size})))
        return 0;
    for (unsigned i = 0; i < 40; ++i)
        for (const char* device : {"edge-0", "other"}) {
            engine.observe(gauge(device, origin + i * 10 * second, "cpu_pct", i), UINT64_MAX);
            engine.observe(counter(device, origin + i * 10 * second, "octets", i, "1"), UINT64_MAX);
        }
    engine.finish();
    etl::Engine again({}, options, [](auto&&...) {});
    if (!again.restore(engine.save()))
        __builtin_trap();
    return 0;
}
