// Any bytes as a saved forest: refused, or a model that scores and explains without leaving its
// trees.
#include <cmath>
#include <cstdlib>
#include <vector>

#include "core/base/bytes.h"
#include "modules/intelligence/iforest/iforest.h"

using namespace amoskys;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto saved = json::parse(as_text({data, size}), "fuzz");
    if (!saved)
        return 0;
    const auto model = iforest::load(*saved);
    if (!model)
        return 0;
    for (const double value : {-1e300, 0.0, 1.0, 1e300, std::nan("")}) {
        const std::vector<double> row((*model)->columns().size(), value);
        const double score = (*model)->score(row);
        if (!(score >= 0 && score <= 1))
            std::abort();
        if ((*model)->explain(row, 3).size() > 3)
            std::abort();
    }
    return 0;
}
