// Latencies of any number of envelopes in a fixed space: counts by logarithmic buckets of 2.2 %.
#pragma once

#include <array>
#include <cstdint>

#include "core/base/clock.h"

namespace amoskys::modules::bench {

class Latencies {
  public:
    void add(Duration latency);
    void add(const Latencies& other);
    std::uint64_t count() const { return count_; }
    // The upper edge of the bucket that holds this fraction, in ms, at most max_ms(); 0 where there
    // is none.
    double percentile_ms(double fraction) const;
    double max_ms() const { return static_cast<double>(max_us_) / 1e3; }

  private:
    static constexpr std::size_t steps = 32;  // in a doubling
    static constexpr std::size_t buckets = 40 * steps;

    std::array<std::uint64_t, buckets> counts_{};  // from 1 us on
    std::uint64_t count_ = 0, max_us_ = 0;
};

}  // namespace amoskys::modules::bench
