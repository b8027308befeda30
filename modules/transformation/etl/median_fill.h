// --fill device-median: what stands in for the metrics that an instant of a device lacks. Medians
// are of the whole run, future included, and every sample is kept for them (8 bytes each).
#pragma once

#include <map>
#include <vector>

#include "modules/transformation/etl/intake.h"

namespace amoskys::etl {

class MedianFill {
  public:
    void learn(const Instant& instant);
    void finish();  // after the last learn()

    // The samples with what is lacking behind them; valid until the next call. An instant without
    // any stays empty.
    std::span<const CanonicalSample> complete(const Instant& instant);
    std::uint64_t filled() const { return filled_; }  // by complete(), since restart()
    void restart() { filled_ = 0; }

  private:
    struct Device {
        std::vector<std::vector<double>> values;  // by metric id
        std::vector<CanonicalSample> medians;
    };
    std::vector<Device> devices_;  // by number
    std::vector<bool> present_;    // by metric id, of the instant at hand
    std::vector<CanonicalSample> completed_;
    std::uint64_t filled_ = 0;
};

}  // namespace amoskys::etl
