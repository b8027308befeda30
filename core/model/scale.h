// What is usual for each column of a training table, and rows measured against it. A row may be a
// window: several rows of the table behind each other. Pure; thread-safe once made.
#pragma once

#include <cmath>
#include <span>
#include <string_view>
#include <vector>

#include "core/model/saved.h"

namespace amoskys::model {

// The deviation never falls below this part of the range: a metric that hardly moved in training
// must not outshout all others when it does.
inline constexpr double deviation_floor = 0.01;

struct ColumnScale {
    double mean = 0;       // stands in for a missing value
    double deviation = 1;  // at least deviation_floor of the range
    double range = 1;      // largest - smallest; of a constant column its size, at least 1
};

// Of `columns` numbers a row; NaN = missing.
std::vector<ColumnScale> column_scales(std::span<const double> values, std::size_t columns);

// The same with the median for the mean and half of the range that holds the middle 68 % for the
// deviation (the standard deviation of a normal distribution), so that outliers in training do not
// count. Of at most 20,000 rows, evenly spread.
std::vector<ColumnScale> robust_scales(std::span<const double> values, std::size_t columns);

// As the lists PREFIXmean, PREFIXdeviation and PREFIXrange.
void put_scales(Saved& out, const std::vector<ColumnScale>& scales, const std::string& prefix = {});
Result<std::vector<ColumnScale>> load_scales(const Saved& saved, std::size_t columns,
                                             const std::string& prefix = {});

// A missing value is the mean: 0.
inline double scaled(const ColumnScale& scale, double value) {
    return std::isnan(value) ? 0 : (value - scale.mean) / scale.deviation;
}

// The rows a window of `length` rows ending at `row` has; before the first row of its series the
// first row is repeated. `out` receives length x columns scaled numbers.
void scaled_window(std::span<const ColumnScale> scales, std::span<const double> rows,
                   std::size_t row, std::size_t length, std::span<double> out);

// bad_data where a model cannot learn from the table: no columns, fewer than `least` rows, or more
// than `most` columns.
Result<> check_table(std::string_view kind, std::size_t rows, std::size_t columns,
                     std::size_t least, std::size_t most);

// A single column says little about itself in one row: it is looked at over this many.
inline constexpr std::size_t single_column_window = 100;

}  // namespace amoskys::model
