// What an earlier run left, its baselines and its manifest: any bytes are read or refused, and what
// is read is written so that it can be read again.
#include "modules/transformation/etl/baseline_file.h"
#include "modules/transformation/etl/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace amoskys;
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto saved = json::parse(text, "fuzz");
    if (!saved)
        return 0;
    const auto read = etl::baselines_from_json(*saved, "fuzz");
    if (read && etl::baselines_from_json(etl::to_json(*read), "again").has_error())
        __builtin_trap();
    const auto manifest = etl::manifest_from_json(*saved, "fuzz");
    if (manifest && etl::manifest_from_json(etl::to_json(*manifest), "again").has_error())
        __builtin_trap();
    return 0;
}
