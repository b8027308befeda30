#include "modules/transformation/window_stats/window_stats.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

namespace amoskys::window_stats {
namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

double median_of(std::span<const double> values, std::vector<double>& scratch) {
    scratch.assign(values.begin(), values.end());
    const auto middle = scratch.begin() + static_cast<std::ptrdiff_t>(scratch.size() / 2);
    std::nth_element(scratch.begin(), middle, scratch.end());
    if (scratch.size() % 2 == 1)
        return *middle;
    const double below = *std::max_element(scratch.begin(), middle);
    return below + (*middle - below) / 2;
}

double mean_of(std::span<const double> values) {
    double sum = 0;
    for (const double value : values)
        sum += value;
    const auto n = static_cast<double>(values.size());
    const double first = sum / n;
    // The second pass takes back what the sum rounded off; it also keeps an equal series exact.
    double rest = 0;
    for (const double value : values)
        rest += value - first;
    return first + rest / n;
}

double slope_of(std::span<const UnixNanos> times, std::span<const double> values, double mean) {
    const auto seconds = [&](std::size_t i) {
        return static_cast<double>(times[i] - times[0]) * 1e-9;
    };
    double time_sum = 0;
    for (std::size_t i = 0; i < times.size(); ++i)
        time_sum += seconds(i);
    const double time_mean = time_sum / static_cast<double>(times.size());
    double both = 0, spread = 0;
    for (std::size_t i = 0; i < times.size(); ++i) {
        const double t = seconds(i) - time_mean;
        both += t * (values[i] - mean);
        spread += t * t;
    }
    return spread > 0 ? both / spread : missing;
}

class WindowStats final : public module::Extractor {
  public:
    explicit WindowStats(module::ColumnTable& columns) : columns_(columns) {}

    void extract(const module::Window& window, module::FeatureRow& row) override {
        for (const module::Series& series : window.series) {
            const Columns& at = columns_of(series);
            const Statistics s = statistics(series.times, series.values, scratch_);
            const std::array<double, 6> values = {s.mean, s.std, s.min, s.max, s.median, s.slope};
            for (std::size_t i = 0; i < values.size(); ++i)
                row.set(at[i], values[i]);
        }
    }

  private:
    using Columns = std::array<module::ColumnId, 6>;

    const Columns& columns_of(const module::Series& series) {
        if (series.metric_id >= by_metric_.size())
            by_metric_.resize(series.metric_id + 1);
        std::optional<Columns>& known = by_metric_[series.metric_id];
        if (!known)
            known = add_columns(series);
        return *known;
    }

    Columns add_columns(const module::Series& series) {
        const std::string metric(series.metric), unit(series.unit);
        const auto add = [&](std::string_view suffix, std::string column_unit,
                             std::string_view formula) {
            return columns_.add({.name = metric + std::string(suffix),
                                 .metric = metric,
                                 .unit = std::move(column_unit),
                                 .stage = "window_stats",
                                 .formula = std::string(formula)});
        };
        const std::string per_second = unit.empty() ? "1/s" : unit + "/s";
        return {add("_mean", unit, "mean of the samples in the window"),
                add("_std", unit, "standard deviation of the samples, with n-1"),
                add("_min", unit, "smallest sample"),
                add("_max", unit, "largest sample"),
                add("_median", unit, "median of the samples"),
                add("_slope", per_second, "slope of the least-squares line over time")};
    }

    module::ColumnTable& columns_;
    std::vector<std::optional<Columns>> by_metric_;
    std::vector<double> scratch_;
};

}  // namespace

Statistics statistics(std::span<const UnixNanos> times, std::span<const double> values,
                      std::vector<double>& scratch) {
    Statistics out{missing, missing, missing, missing, missing, missing};
    if (values.empty())
        return out;
    out.mean = mean_of(values);
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    out.min = *least;
    out.max = *most;
    out.median = median_of(values, scratch);
    if (values.size() >= 2) {
        double squares = 0;
        for (const double value : values)
            squares += (value - out.mean) * (value - out.mean);
        out.std = std::sqrt(squares / static_cast<double>(values.size() - 1));
        out.slope = slope_of(times, values, out.mean);
    }
    return out;
}

std::unique_ptr<module::Extractor> make_extractor(module::ColumnTable& columns) {
    return std::make_unique<WindowStats>(columns);
}

}  // namespace amoskys::window_stats
