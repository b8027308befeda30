#include "modules/transformation/etl/baseline.h"

#include <algorithm>
#include <cmath>

namespace amoskys::etl {
namespace {

constexpr std::size_t distances_looked_at = 31;
constexpr double much_left = 1e-3;  // of a difference: it has lost no digits that matter

}  // namespace

double BaselineFitter::Moments::std() const {
    if (count < 2)
        return 0;
    const auto n = static_cast<double>(count);
    const double about_mean = squares - sum * sum / n;
    return std::sqrt((about_mean > much_left * squares ? about_mean : running_squares) / (n - 1));
}

void BaselineFitter::add(UnixNanos time_ns, std::span<const CanonicalSample> samples) {
    for (const CanonicalSample& sample : samples) {
        if (sample.metric >= metrics_.size())
            metrics_.resize(sample.metric + 1);
        Metric& metric = metrics_[sample.metric];
        if (metric.level.count == 0) {
            metric.min = metric.max = metric.level.shift = sample.value;
        } else {
            metric.min = std::min(metric.min, sample.value);
            metric.max = std::max(metric.max, sample.value);
            metric.step.add(sample.value - metric.last);
            if (metric.distances_ns.size() < distances_looked_at)
                metric.distances_ns.push_back(time_ns - metric.last_ns);
        }
        metric.level.add(sample.value);
        metric.last = sample.value;
        metric.last_ns = time_ns;
    }
}

DeviceBaselines BaselineFitter::finish(const MetricTable& metrics) const {
    DeviceBaselines out;
    for (std::size_t id = 0; id < metrics_.size(); ++id) {
        const Metric& metric = metrics_[id];
        if (metric.level.count == 0)
            continue;
        module::Baseline baseline{.count = metric.level.count,
                                  .min = metric.min,
                                  .max = metric.max,
                                  .mean = metric.level.mean(),
                                  .std = metric.level.std(),
                                  .step_std = metric.step.std()};
        if (!metric.distances_ns.empty()) {
            std::vector<UnixNanos> sorted = metric.distances_ns;
            std::sort(sorted.begin(), sorted.end());
            baseline.interval_s = static_cast<double>(sorted[sorted.size() / 2]) * 1e-9;
        }
        // Samples at the ends of what a double holds: nothing can be said relative
        // to them.
        if (std::isfinite(baseline.mean) && std::isfinite(baseline.std) &&
            std::isfinite(baseline.step_std) && std::isfinite(baseline.max - baseline.min))
            out.emplace(metrics.at(static_cast<std::uint32_t>(id)).name, baseline);
    }
    return out;
}

}  // namespace amoskys::etl
