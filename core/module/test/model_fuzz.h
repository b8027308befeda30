// The body of every kind's fuzz target: any bytes as a saved model are refused, or make a model of
// two columns that scores and explains any rows.
#pragma once

#include <cmath>
#include <cstdlib>
#include <vector>

#include "core/model/saved.h"
#include "core/module/model.h"

namespace amoskys::module::test {

template <class Load>
void fuzz_saved_model(ByteView bytes, const Load& load) {
    const auto saved = model::Saved::decode(bytes);
    if (!saved)
        return;
    const auto model = load(*saved, 2);
    if (!model)
        return;
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
}

}  // namespace amoskys::module::test
