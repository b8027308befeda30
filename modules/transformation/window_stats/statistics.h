// Statistics of the samples of one window: the features of the window_stats extractor, and the
// table that names them. Pure functions of spans; the numbers alone, no columns.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "core/module/extractor.h"

namespace amoskys::window_stats {

// Order = order of the columns of a metric.
enum class Feature : std::size_t {
    mean,
    std,
    min,
    max,
    median,
    q25,
    q50,
    q75,
    q95,
    q99,
    roc,
    roc_abs,
    accel,
    slope,
    cv,
    z_last,
    z_dev,
    entropy,
    jump3s,
    burst,
    count,
    missing_share
};
inline constexpr std::size_t feature_count = 22;

inline constexpr std::size_t entropy_bins = 50;

// The columns of a metric, in the order of Feature; the name is "METRIC" and the suffix.
extern const std::array<module::FeatureForm, feature_count> catalogue;

// Working memory for the statistics of many windows. Not thread-safe.
class Calculator {
  public:
    // out: feature_count values, NaN where the samples (at least one, finite) or the baseline do
    // not define them. window_s: length of the window.
    void calculate(const module::Series& series, double window_s, double* out);

  private:
    // What depends on the times alone, kept for the next metric with the same times.
    struct Times {
        std::vector<UnixNanos> of;
        std::vector<double> centred;   // seconds from their mean
        std::vector<double> per_step;  // 1 / distance to the next sample
        std::vector<double> per_turn;  // 1 / distance between the middles of two steps
        double spread = 0;             // sum of the squares of `centred`
    };
    bool is_prepared(std::span<const UnixNanos> times) const;
    void prepare(std::span<const UnixNanos> times);
    void levels(std::span<const double> values, double* out);
    void changes(std::span<const double> values, double* out);
    void quantiles(std::span<const double> values, double* out);
    void usual(const module::Series& series, double window_s, double* out) const;
    double entropy(const module::Baseline& baseline) const;

    Times times_;
    std::vector<double> sorted_;
};

}  // namespace amoskys::window_stats
