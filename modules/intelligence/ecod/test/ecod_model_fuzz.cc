// Any bytes as a saved ecod: refused, or a model of two columns that scores and explains any rows.
#include <cmath>
#include <cstdlib>
#include <vector>

#include "modules/intelligence/ecod/ecod.h"

using namespace amoskys;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto saved = model::Saved::decode({data, size});
    if (!saved)
        return 0;
    const auto model = ecod::load(*saved, 2);
    if (!model)
        return 0;
    for (const double value : {-1e300, 0.0, 1.0, 1e300, std::nan("")}) {
        const std::vector<double> rows(2 * ((*model)->history() + 3), value);
        double scores[2] = {};
        (*model)->score(rows, scores);
        double parts[2] = {}, expected[2] = {};
        (*model)->explain(rows, parts, expected);
        for (const double number : {scores[0], scores[1], parts[0], parts[1]})
            if (std::isnan(number))
                std::abort();
    }
    return 0;
}
