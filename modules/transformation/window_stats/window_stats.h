// Statistics of the samples of one window: the features of the window_stats extractor.
// Pure functions of spans; used by the extractor and its tests.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/module/extractor.h"

namespace amoskys::window_stats {

// NaN where the samples do not define it: std needs two samples, slope two different times.
struct Statistics {
    double mean, std, min, max, median, slope;
};

// `values` is not empty, finite, and as long as `times`; times rise. `scratch` is working memory
// that the caller keeps between calls.
//   std     with n-1, from the deviations from the mean (two passes)
//   median  mean of the two middle samples where n is even
//   slope   least squares over time, per second; times count from the window's first sample, so
//           that no digits are lost to the epoch
Statistics statistics(std::span<const UnixNanos> times, std::span<const double> values,
                      std::vector<double>& scratch);

std::unique_ptr<module::Extractor> make_extractor(module::ColumnTable& columns);

}  // namespace amoskys::window_stats
