#include "core/metrics/metrics.h"

#include <algorithm>
#include <array>

#include "core/base/check.h"

namespace amoskys::metrics {
namespace {

void atomic_add(std::atomic<double>& target, double by) {
    double before = target.load(std::memory_order_relaxed);
    while (!target.compare_exchange_weak(before, before + by, std::memory_order_relaxed)) {
    }
}

constexpr std::array<double, 16> latency_bounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                                0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                                1,      2.5,     5,      10};

}  // namespace

void Gauge::add(double by) {
    atomic_add(value_, by);
}

Histogram::Histogram(std::span<const double> upper_bounds)
    : bounds_(upper_bounds.begin(), upper_bounds.end()),
      counts_(std::make_unique<std::atomic<std::uint64_t>[]>(upper_bounds.size() + 1)) {
    check(!bounds_.empty() && std::is_sorted(bounds_.begin(), bounds_.end()) &&
              std::adjacent_find(bounds_.begin(), bounds_.end()) == bounds_.end(),
          "histogram bounds must grow");
}

void Histogram::observe(double v) {
    const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), v) - bounds_.begin();
    counts_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
    atomic_add(sum_, v);
}

std::vector<std::uint64_t> Histogram::cumulative() const {
    std::vector<std::uint64_t> counts;
    counts.reserve(bounds_.size() + 1);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i <= bounds_.size(); ++i) {
        sum += counts_[i].load(std::memory_order_relaxed);
        counts.push_back(sum);
    }
    return counts;
}

double Histogram::sum() const {
    return sum_.load(std::memory_order_relaxed);
}

double Histogram::quantile(double q) const {
    const auto counts = cumulative();
    const auto total = counts.back();
    if (total == 0)
        return 0;
    const double rank = std::clamp(q, 0.0, 1.0) * static_cast<double>(total);
    for (std::size_t i = 0; i < bounds_.size(); ++i) {
        if (static_cast<double>(counts[i]) < rank || counts[i] == 0)
            continue;
        const auto below = i == 0 ? 0 : counts[i - 1];
        const double low = i == 0 ? std::min(0.0, bounds_[0]) : bounds_[i - 1];
        const auto inside = static_cast<double>(counts[i] - below);
        if (inside == 0)
            return bounds_[i];
        return low + (bounds_[i] - low) * (rank - static_cast<double>(below)) / inside;
    }
    return bounds_.back();  // in +Inf: the best that is known
}

std::span<const double> latency_buckets() {
    return latency_bounds;
}

}  // namespace amoskys::metrics
