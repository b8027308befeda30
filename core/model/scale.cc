#include "core/model/scale.h"

#include <algorithm>

namespace amoskys::model {

std::vector<ColumnScale> column_scales(std::span<const double> values, std::size_t columns) {
    struct Sums {
        double first = std::nan(""), low = 0, high = 0, count = 0, sum = 0, squares = 0;
    };
    std::vector<Sums> all(columns);
    for (std::size_t begin = 0; begin + columns <= values.size(); begin += columns)
        for (std::size_t c = 0; c < columns; ++c) {
            const double value = values[begin + c];
            Sums& sums = all[c];
            if (std::isnan(value))
                continue;
            if (sums.count == 0)
                sums.first = sums.low = sums.high = value;
            const double off = value - sums.first;  // far from 0 squares would cancel
            sums.low = std::min(sums.low, value);
            sums.high = std::max(sums.high, value);
            ++sums.count;
            sums.sum += off;
            sums.squares += off * off;
        }
    std::vector<ColumnScale> out(columns);
    for (std::size_t c = 0; c < columns; ++c) {
        const Sums& sums = all[c];
        if (sums.count == 0) {  // nothing is known of it: it never says anything
            out[c].deviation = out[c].range = 1e300;
            continue;
        }
        const double mean = sums.sum / sums.count;
        out[c].mean = sums.first + mean;
        // Halves: two numbers near the largest double have no finite difference.
        const double half = sums.high / 2 - sums.low / 2;
        out[c].range = half > 0 ? std::min(half, 1e300) * 2 : std::max(1.0, std::abs(sums.first));
        const double deviation = std::sqrt(std::max(0.0, sums.squares / sums.count - mean * mean));
        if (!std::isfinite(out[c].mean))
            out[c].mean = sums.low + half;
        out[c].deviation = std::isfinite(deviation)
                               ? std::max(deviation, deviation_floor * out[c].range)
                               : out[c].range;
    }
    return out;
}

std::vector<ColumnScale> robust_scales(std::span<const double> values, std::size_t columns) {
    constexpr std::size_t most_rows = 20'000;
    std::vector<ColumnScale> out = column_scales(values, columns);
    const std::size_t step = values.size() / columns / most_rows + 1;
    std::vector<double> present;
    for (std::size_t c = 0; c < columns; ++c) {
        present.clear();
        for (std::size_t at = c; at < values.size(); at += step * columns)
            if (!std::isnan(values[at]))
                present.push_back(values[at]);
        if (present.empty())
            continue;
        std::sort(present.begin(), present.end());
        const auto at = [&present](double part) {
            return present[static_cast<std::size_t>(part *
                                                    static_cast<double>(present.size() - 1))];
        };
        out[c].mean = at(0.5);
        out[c].deviation = std::max(at(0.84) / 2 - at(0.16) / 2, deviation_floor * out[c].range);
    }
    return out;
}

void put_scales(Saved& out, const std::vector<ColumnScale>& scales, const std::string& prefix) {
    std::vector<double> mean, deviation, range;
    for (const ColumnScale& scale : scales) {
        mean.push_back(scale.mean);
        deviation.push_back(scale.deviation);
        range.push_back(scale.range);
    }
    out.put(prefix + "mean", std::move(mean));
    out.put(prefix + "deviation", std::move(deviation));
    out.put(prefix + "range", std::move(range));
}

Result<std::vector<ColumnScale>> load_scales(const Saved& saved, std::size_t columns,
                                             const std::string& prefix) {
    AMOSKYS_TRY(mean, saved.numbers(prefix + "mean", columns));
    AMOSKYS_TRY(deviation, saved.numbers(prefix + "deviation", columns));
    AMOSKYS_TRY(range, saved.numbers(prefix + "range", columns));
    std::vector<ColumnScale> out;
    for (std::size_t c = 0; c < columns; ++c) {
        if (!(deviation[c] > 0) || !(range[c] > 0))
            return damaged(saved.kind(), "a deviation is not above 0");
        out.push_back({mean[c], deviation[c], range[c]});
    }
    return out;
}

void scaled_window(std::span<const ColumnScale> scales, std::span<const double> rows,
                   std::size_t row, std::size_t length, std::span<double> out) {
    const std::size_t columns = scales.size();
    for (std::size_t i = 0; i < length; ++i) {
        const std::size_t back = length - 1 - i;
        const double* from = rows.data() + (row >= back ? row - back : 0) * columns;
        for (std::size_t c = 0; c < columns; ++c)
            out[i * columns + c] = std::clamp(scaled(scales[c], from[c]), -1e9, 1e9);
    }
}

Result<> check_table(std::string_view kind, std::size_t rows, std::size_t columns,
                     std::size_t least, std::size_t most) {
    const std::string who(kind);
    if (columns == 0)
        return make_error(ErrorKind::bad_data, "training_no_columns",
                          who + ": the table has no feature columns");
    if (rows < least)
        return make_error(ErrorKind::bad_data, "training_too_few_rows",
                          who + ": the table has " + std::to_string(rows) + " rows; " +
                              std::to_string(least) + " are needed",
                          "some hundred rows of normal operation make a useful model");
    if (columns > most)
        return make_error(ErrorKind::bad_data, "training_too_wide",
                          who + ": the table has " + std::to_string(columns) +
                              " columns; at most " + std::to_string(most) + " can be learned from",
                          "--ignore leaves columns out; zscore and iforest take any number");
    return {};
}

}  // namespace amoskys::model
