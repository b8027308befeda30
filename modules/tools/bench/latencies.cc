#include "modules/tools/bench/latencies.h"

#include <algorithm>
#include <cmath>

namespace amoskys::modules::bench {

void Latencies::add(Duration latency) {
    const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(latency).count(), 1));
    const auto bucket =
        static_cast<std::size_t>(std::log2(static_cast<double>(us)) * double{steps});
    ++counts_[std::min(bucket, buckets - 1)];
    ++count_;
    max_us_ = std::max(max_us_, us);
}

void Latencies::add(const Latencies& other) {
    for (std::size_t i = 0; i < buckets; ++i)
        counts_[i] += other.counts_[i];
    count_ += other.count_;
    max_us_ = std::max(max_us_, other.max_us_);
}

double Latencies::percentile_ms(double fraction) const {
    const auto wanted = static_cast<std::uint64_t>(
        std::max(1.0, std::ceil(fraction * static_cast<double>(count_))));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets; ++i) {
        seen += counts_[i];
        if (count_ > 0 && seen >= wanted)
            return std::min(max_ms(), std::exp2(static_cast<double>(i + 1) / double{steps}) / 1e3);
    }
    return 0;
}

}  // namespace amoskys::modules::bench
