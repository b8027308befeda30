#include "modules/transformation/window_stats/statistics.h"

#include <algorithm>
#include <cmath>

#include "core/module/statistics.h"

namespace amoskys::window_stats {
namespace {

using module::FeatureRow;
using module::mean_of;

constexpr std::size_t branchless_sort_up_to = 12;
constexpr double no_level = 1e-12;  // a mean below it divides nothing

double& at(double* out, Feature feature) {
    return out[static_cast<std::size_t>(feature)];
}

// Few values are sorted without branches: which way a comparison goes cannot be predicted.
void sort_values(std::vector<double>& values) {
    if (values.size() > branchless_sort_up_to) {
        std::sort(values.begin(), values.end());
        return;
    }
    for (std::size_t i = 1; i < values.size(); ++i) {
        double carried = values[i];
        for (std::size_t j = 0; j < i; ++j) {
            const double low = std::min(values[j], carried);
            carried = std::max(values[j], carried);
            values[j] = low;
        }
        values[i] = carried;
    }
}

// Linear interpolation between the nearest ranks (numpy's and pandas' default).
double quantile(const std::vector<double>& sorted, double share) {
    const double rank = share * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(rank);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (sorted[above] - sorted[below]) * (rank - static_cast<double>(below));
}

// n log2 n of small n, which is all that most windows ask for.
const std::array<double, 129> n_log_n = [] {
    std::array<double, 129> out{};
    for (std::size_t n = 2; n < out.size(); ++n)
        out[n] = static_cast<double>(n) * std::log2(static_cast<double>(n));
    return out;
}();

double times_log(std::size_t n) {
    return n < n_log_n.size() ? n_log_n[n]
                              : static_cast<double>(n) * std::log2(static_cast<double>(n));
}

}  // namespace

const std::array<module::FeatureForm, feature_count> catalogue{{
    {"METRIC_mean", "of the metric", "mean of the samples in the window"},
    {"METRIC_std", "of the metric", "standard deviation of the samples, with n-1"},
    {"METRIC_min", "of the metric", "smallest sample"},
    {"METRIC_max", "of the metric", "largest sample"},
    {"METRIC_median", "of the metric", "median; mean of the two middle samples where n is even"},
    {"METRIC_q25", "of the metric", "quantile 0.25, linear between ranks"},
    {"METRIC_q50", "of the metric", "quantile 0.5, linear between ranks"},
    {"METRIC_q75", "of the metric", "quantile 0.75, linear between ranks"},
    {"METRIC_q95", "of the metric", "quantile 0.95, linear between ranks"},
    {"METRIC_q99", "of the metric", "quantile 0.99, linear between ranks"},
    {"METRIC_roc", "of the metric per second", "mean of the rates of change from sample to sample"},
    {"METRIC_roc_abs", "of the metric per second",
     "mean of the absolute rates of change from sample to sample"},
    {"METRIC_accel", "of the metric per second squared", "mean change of the rate of change"},
    {"METRIC_slope", "of the metric per second", "slope of the least-squares line over time"},
    {"METRIC_cv", "1", "coefficient of variation: std / |mean|; 0 where std is 0"},
    {"METRIC_z_last", "1", "(last sample - mean) / std; 0 where std is 0"},
    {"METRIC_z_dev", "1", "(mean - baseline mean) / baseline std, or / 1 where that is 0"},
    {"METRIC_entropy", "bits", "Shannon entropy over 50 equal bins of the baseline's range"},
    {"METRIC_jump3s", "samples", "steps larger than 3 times the baseline's std of steps"},
    {"METRIC_burst", "samples", "samples above baseline mean + 2 std (+ 2 where std is 0)"},
    {"METRIC_count", "samples", "samples in the window"},
    {"METRIC_missing", "1", "1 - samples / (window / usual interval of the baseline), at least 0"},
}};

// Windows hold few samples: a call of memcmp costs more than this.
bool Calculator::is_prepared(std::span<const UnixNanos> times) const {
    if (times.size() != times_.of.size())
        return false;
    UnixNanos difference = 0;
    for (std::size_t i = 0; i < times.size(); ++i)
        difference |= times[i] ^ times_.of[i];
    return difference == 0;
}

void Calculator::prepare(std::span<const UnixNanos> times) {
    if (is_prepared(times))
        return;
    const std::size_t n = times.size();
    times_.of.assign(times.begin(), times.end());
    times_.centred.resize(n);
    times_.per_step.resize(n);
    times_.per_turn.resize(n);
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
        // From the first sample on, so that no digits are lost to the epoch.
        times_.centred[i] = static_cast<double>(times[i] - times[0]) * 1e-9;
        sum += times_.centred[i];
    }
    for (std::size_t i = 0; i + 1 < n; ++i)
        times_.per_step[i] = 1 / (times_.centred[i + 1] - times_.centred[i]);
    for (std::size_t i = 0; i + 2 < n; ++i)
        times_.per_turn[i] = 2 / (times_.centred[i + 2] - times_.centred[i]);
    times_.spread = 0;
    for (double& time : times_.centred) {
        time -= sum / static_cast<double>(n);
        times_.spread += time * time;
    }
}

void Calculator::levels(std::span<const double> values, double* out) {
    const double mean = mean_of(values);
    at(out, Feature::mean) = mean;
    if (values.size() < 2)
        return;
    double squares = 0, along = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double off = values[i] - mean;
        squares += off * off;
        along += off * times_.centred[i];
    }
    const double std = std::sqrt(squares / static_cast<double>(values.size() - 1));
    at(out, Feature::std) = std;
    at(out, Feature::slope) = along / times_.spread;
    if (std == 0)
        at(out, Feature::cv) = at(out, Feature::z_last) = 0;
    else {
        at(out, Feature::z_last) = (values.back() - mean) / std;
        if (std::abs(mean) > no_level)
            at(out, Feature::cv) = std / std::abs(mean);
    }
}

void Calculator::changes(std::span<const double> values, double* out) {
    const std::size_t n = values.size();
    if (n < 2)
        return;
    double sum = 0, absolute = 0, turns = 0, before = 0;
    for (std::size_t i = 0; i + 1 < n; ++i) {
        const double rate = (values[i + 1] - values[i]) * times_.per_step[i];
        sum += rate;
        absolute += std::abs(rate);
        if (i > 0)
            turns += (rate - before) * times_.per_turn[i - 1];
        before = rate;
    }
    at(out, Feature::roc) = sum / static_cast<double>(n - 1);
    at(out, Feature::roc_abs) = absolute / static_cast<double>(n - 1);
    if (n > 2)
        at(out, Feature::accel) = turns / static_cast<double>(n - 2);
}

void Calculator::quantiles(std::span<const double> values, double* out) {
    sorted_.assign(values.begin(), values.end());
    sort_values(sorted_);
    at(out, Feature::min) = sorted_.front();
    at(out, Feature::max) = sorted_.back();
    at(out, Feature::q25) = quantile(sorted_, 0.25);
    at(out, Feature::q50) = at(out, Feature::median) = quantile(sorted_, 0.5);
    at(out, Feature::q75) = quantile(sorted_, 0.75);
    at(out, Feature::q95) = quantile(sorted_, 0.95);
    at(out, Feature::q99) = quantile(sorted_, 0.99);
}

// Of the sorted samples: equal bins stand side by side. What lies outside the range counts to the
// bin at its edge.
double Calculator::entropy(const module::Baseline& baseline) const {
    constexpr auto bins = static_cast<double>(entropy_bins);
    const double width = baseline.max > baseline.min ? baseline.max - baseline.min : 1;
    const auto bin_of = [&](double value) {
        const double place = (value - baseline.min) / width * bins;
        return place < 1 ? 0 : static_cast<int>(std::min(place, bins - 1));
    };
    double weight = 0;
    int bin = bin_of(sorted_.front());
    std::size_t run = 0;
    for (const double value : sorted_) {
        const int next = bin_of(value);
        if (next != bin) {
            weight += times_log(run);
            run = 0;
            bin = next;
        }
        ++run;
    }
    const std::size_t n = sorted_.size();
    return run == n ? 0 : (times_log(n) - weight - times_log(run)) / static_cast<double>(n);
}

void Calculator::usual(const module::Series& series, double window_s, double* out) const {
    const module::Baseline& baseline = *series.baseline;
    const double level = baseline.std > 0 ? baseline.std : 1;
    at(out, Feature::z_dev) = (at(out, Feature::mean) - baseline.mean) / level;
    at(out, Feature::entropy) = entropy(baseline);
    const double high = baseline.mean + 2 * level;
    double bursts = 0, jumps = 0;
    for (const double value : series.values)
        bursts += value > high ? 1 : 0;
    at(out, Feature::burst) = bursts;
    if (series.values.size() > 1) {
        const double far = baseline.step_std > 0 ? 3 * baseline.step_std : HUGE_VAL;
        for (std::size_t i = 0; i + 1 < series.values.size(); ++i)
            jumps += std::abs(series.values[i + 1] - series.values[i]) > far ? 1 : 0;
        at(out, Feature::jump3s) = jumps;
    }
    if (baseline.interval_s > 0) {
        const double share =
            static_cast<double>(series.values.size()) * baseline.interval_s / window_s;
        at(out, Feature::missing_share) = std::max(0.0, 1 - share);
    }
}

void Calculator::calculate(const module::Series& series, double window_s, double* out) {
    std::fill(out, out + feature_count, FeatureRow::missing);
    prepare(series.times);
    levels(series.values, out);
    changes(series.values, out);
    quantiles(series.values, out);
    at(out, Feature::count) = static_cast<double>(series.values.size());
    if (series.baseline != nullptr)
        usual(series, window_s, out);
}

}  // namespace amoskys::window_stats
