// Any bytes as a table of features: refused with a place, or a whole table.
#include <cstdlib>

#include "core/base/bytes.h"
#include "modules/intelligence/score/table.h"

using namespace amoskys;
using namespace amoskys::score;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto table = parse_table(as_text({data, size}), "fuzz.csv", {});
    if (!table)
        return table.error().message.starts_with("fuzz.csv:") ? 0 : (std::abort(), 1);
    const auto& features = table->features;
    if (!features.columns.empty() && features.values.size() % features.columns.size() != 0)
        std::abort();
    return 0;
}
