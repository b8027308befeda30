#include "modules/transformation/etl/median_fill.h"

#include <algorithm>

namespace amoskys::etl {

void MedianFill::learn(const Instant& instant) {
    if (instant.device >= devices_.size())
        devices_.resize(instant.device + 1);
    auto& values = devices_[instant.device].values;
    for (const CanonicalSample& sample : instant.samples) {
        if (sample.metric >= values.size())
            values.resize(sample.metric + 1);
        values[sample.metric].push_back(sample.value);
    }
}

void MedianFill::finish() {
    for (Device& device : devices_) {
        for (std::uint32_t metric = 0; metric < device.values.size(); ++metric) {
            auto& values = device.values[metric];
            if (values.empty())
                continue;
            const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
            std::nth_element(values.begin(), middle, values.end());
            double median = *middle;
            if (values.size() % 2 == 0)
                median = (*std::max_element(values.begin(), middle) + median) / 2;
            device.medians.push_back({metric, median});
        }
        device.values = {};
    }
}

std::span<const CanonicalSample> MedianFill::complete(const Instant& instant) {
    if (instant.device >= devices_.size() || instant.samples.empty())
        return instant.samples;
    const auto& medians = devices_[instant.device].medians;
    present_.assign(medians.empty() ? 0 : medians.back().metric + 1, false);
    completed_.assign(instant.samples.begin(), instant.samples.end());
    for (const CanonicalSample& sample : instant.samples)
        present_[sample.metric] = true;
    for (const CanonicalSample& median : medians)
        if (!present_[median.metric]) {
            completed_.push_back(median);
            ++filled_;
        }
    return completed_;
}

}  // namespace amoskys::etl
