// What is usual for each metric of each device, learned from the samples of the training part.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/module/extractor.h"
#include "modules/transformation/etl/canonical.h"

namespace amoskys::etl {

using DeviceBaselines = std::map<std::string, module::Baseline, std::less<>>;  // by metric
using Baselines = std::map<std::string, DeviceBaselines, std::less<>>;         // by device

// Of one device. Keeps no samples, but the first distances of each metric.
class BaselineFitter {
  public:
    // Instants rise from call to call.
    void add(UnixNanos time_ns, std::span<const CanonicalSample> samples);
    DeviceBaselines finish(const MetricTable& metrics) const;

  private:
    // Sums about a shift near the values, which are exact where the values are whole numbers, and
    // Welford's recurrence for where the shift turns out to be far off.
    struct Moments {
        std::uint64_t count = 0;
        double shift = 0, sum = 0, squares = 0;
        double running_mean = 0, running_squares = 0;
        void add(double value) {
            ++count;
            const double shifted = value - shift;
            sum += shifted;
            squares += shifted * shifted;
            const double off = value - running_mean;
            running_mean += off / static_cast<double>(count);
            running_squares += off * (value - running_mean);
        }
        double mean() const { return shift + sum / static_cast<double>(count); }
        double std() const;
    };
    struct Metric {
        Moments level, step;
        double min = 0, max = 0, last = 0;
        UnixNanos last_ns = 0;
        std::vector<UnixNanos> distances_ns;  // the first ones
    };
    std::vector<Metric> metrics_;  // by metric id
};

}  // namespace amoskys::etl
