// What the numbers of a table are like, column by column, and how complete its windows are: for
// feature_metadata.json and quality_report.json. Nothing is changed or left out because of it. Pure
// functions of the store. Per feature: missing, outliers, zero variance, drift of the validation
// part; calendar features never count as drifted, because what comes later has other hours and
// days. What only grows (an uptime) does: a model that has not seen its range should not be given
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "modules/transformation/etl/feature_store.h"

namespace amoskys::etl {

// Quantiles and drift are of at most this many values of each part, evenly spaced in the table.
inline constexpr std::size_t quality_sample = 2048;
// Population stability index from which a column counts as drifted, by the usual rule of thumb.
inline constexpr double drift_psi = 0.2;

struct ColumnQuality {
    std::uint64_t count = 0, missing = 0;  // of all rows
    double mean = 0, std = 0;              // std with n-1; 0 with fewer than two values
    double min = 0, max = 0;
    double q25 = 0, median = 0, q75 = 0;  // of the training part's sample
    std::uint64_t outliers = 0;  // 3 (q75 - q25) below q25 or above q75; none where they are equal
    bool zero_variance = false;  // there are values, all of them equal
    // Of the validation part against the training part, where both have values and they vary:
    // index over the training part's tenths, and the largest distance of the two distributions.
    std::optional<double> psi, ks;
    bool is_calendar = false;  // when a window was, which is never the same later: no drift
    bool drifted() const { return !is_calendar && psi && *psi >= drift_psi; }
};

// By ColumnId.
std::vector<ColumnQuality> column_quality(const FeatureStore& store,
                                          std::span<const module::FeatureColumn> columns);

// Population stability index and Kolmogorov-Smirnov distance of two sorted samples, neither empty.
double stability_index(const std::vector<double>& train, const std::vector<double>& other);
double ks_distance(const std::vector<double>& train, const std::vector<double>& other);

// The windows of a device against those that its first and last one span.
struct DeviceWindows {
    std::string_view device;
    std::uint64_t windows = 0, expected = 0, gaps = 0;
    Duration longest_gap{0};
};
std::vector<DeviceWindows> device_windows(const FeatureStore& store, Duration step);

}  // namespace amoskys::etl
