// The key_metrics extractor: how the metrics that matter most move together and over longer than a
// window, and which are above their limit. The functions are pure; used by the extractor and its
// tests.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "core/module/extractor.h"

namespace amoskys::key_metrics {

// Pearson correlation of the values of two series at their common times; NaN with fewer than 3 of
// these, or where one of the two does not vary.
double correlation(const module::Series& a, const module::Series& b);

// Over the last n samples, or as many as there are (at least 1): mean, std (n-1; NaN of one), max.
struct Rolling {
    double mean, std, max;
};
Rolling rolling(std::span<const double> recent, std::size_t n);

inline constexpr std::array<std::size_t, 3> rolling_lengths = {5, 10, 30};
static_assert(rolling_lengths.back() <= module::recent_samples);

std::unique_ptr<module::Extractor> make_extractor(module::ColumnTable& columns,
                                                  const module::ExtractorSettings& settings);

}  // namespace amoskys::key_metrics
