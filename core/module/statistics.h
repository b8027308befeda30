// What several extractors compute of the samples of a window.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace amoskys::module {

// Of at least one value. The second pass takes back what the sum rounded off; equal values have
// exactly their value as their mean.
inline double mean_of(std::span<const double> values) {
    double sum = 0;
    for (const double value : values)
        sum += value;
    const auto n = static_cast<double>(values.size());
    const double first = sum / n;
    double rest = 0;
    for (const double value : values)
        rest += value - first;
    return first + rest / n;
}

struct Diversity {
    double different = 0;
    double entropy_bits = 0;  // Shannon, of how often each value stands there
};

// Puts the values in order.
inline Diversity diversity_of(std::vector<std::uint64_t>& values) {
    std::sort(values.begin(), values.end());
    const auto n = static_cast<double>(values.size());
    Diversity out;
    for (auto begin = values.begin(); begin != values.end(); ++out.different) {
        const auto end = std::upper_bound(begin, values.end(), *begin);
        const double share = static_cast<double>(end - begin) / n;
        out.entropy_bits -= share * std::log2(share);
        begin = end;
    }
    out.entropy_bits += 0.0;  // no -0
    return out;
}

}  // namespace amoskys::module
