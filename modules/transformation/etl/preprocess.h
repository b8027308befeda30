// The last stage before models: missing values get the median, heavy tails a logarithm, everything
// the scale of its own spread (median 0, interquartile range 1). Learned column by column from the
// rows of the training part, applied to all rows alike. Pure functions; rows and files are
// FeatureStore's and export's.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "core/json/json.h"
#include "core/module/extractor.h"

namespace amoskys::etl {

// How one column is scaled: value, or log1p(max(value, 0)) -> (it - median) / iqr. What is missing
// becomes the median, thus 0.
struct ColumnScale {
    bool log1p = false;
    bool scaled = true;          // false: the column stays as it is, missing values too
    std::uint64_t count = 0;     // training values that were there
    double median = 0, iqr = 1;  // after the logarithm; iqr 0 counts as 1
    void apply(std::span<double> values) const;
};

// Linear interpolation between ranks, as numpy. Of at least one number; the order of `values` is
// not kept.
struct Quartiles {
    double q25, q50, q75;
};
Quartiles quartiles(std::vector<double>& values);

// Learns from the training values of a column, NaN = missing; uses them up. A column without any
// stays as it is.
ColumnScale fit_scale(const module::FeatureColumn& column, std::span<const std::string> log_metrics,
                      std::vector<double>& training);

// Levels (mean, max, median, min, q95, q99) of the metrics that have heavy tails.
bool takes_logarithm(const module::FeatureColumn& column, std::span<const std::string> log_metrics);

// {"column": {"log1p", "median", "iqr", "count"}}; columns that stay as they are are not in it.
Json to_json(std::span<const module::FeatureColumn> columns, std::span<const ColumnScale> scales);

}  // namespace amoskys::etl
