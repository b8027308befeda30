// From two readings of a counter to a rate, or to nothing where they do not belong together. Pure.
//
// A decrease is a wrap only of a 32-bit counter whose source did not start anew in between, and
// only where the rate that follows is possible; any other decrease is a reset: no rate.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>

namespace amoskys::module {

struct CounterReading {
    std::uint64_t value = 0;
    bool wide = true;  // 64 bit
};

inline constexpr double no_rate_limit = std::numeric_limits<double>::infinity();

// Per second. `restarted`: the source counts anew since `before`. `limit`: the highest rate that is
// possible; where none is known, a wrap is believed up to half of the counter's range.
inline std::optional<double> counter_rate(CounterReading before, CounterReading now,
                                          double elapsed_s, bool restarted,
                                          double limit = no_rate_limit) {
    if (restarted || !(elapsed_s > 0) || before.wide != now.wide)
        return std::nullopt;
    constexpr std::uint64_t range32 = std::uint64_t{1} << 32;
    if (now.value >= before.value) {
        const double rate = static_cast<double>(now.value - before.value) / elapsed_s;
        // 64-bit counters of an agent that was exchanged; some room for times that are not exact.
        return rate <= limit * 1.5 ? std::optional(rate) : std::nullopt;
    }
    if (now.wide)
        return std::nullopt;
    const std::uint64_t moved = now.value + range32 - before.value;
    const double rate = static_cast<double>(moved) / elapsed_s;
    const bool possible = std::isinf(limit) ? moved < range32 / 2 : rate <= limit * 1.1;
    return possible ? std::optional(rate) : std::nullopt;
}

}  // namespace amoskys::module
