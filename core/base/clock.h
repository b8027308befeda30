// Time as the product writes it: Unix nanoseconds (UTC) for events, steady time for timeouts.
// Code that needs "now" takes a Clock&, so that tests decide what time it is.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace amoskys {

using UnixNanos = std::uint64_t;
using Duration = std::chrono::nanoseconds;

class Clock {
  public:
    virtual ~Clock() = default;
    virtual UnixNanos now_ns() const = 0;                              // CLOCK_REALTIME
    virtual std::chrono::steady_clock::time_point steady() const = 0;  // CLOCK_MONOTONIC
};

const Clock& system_clock();

// Any thread may read it while the test advances it.
class FakeClock final : public Clock {
  public:
    explicit FakeClock(UnixNanos start_ns) : start_ns_(start_ns) {}
    UnixNanos now_ns() const override { return start_ns_ + static_cast<UnixNanos>(passed_ns_); }
    std::chrono::steady_clock::time_point steady() const override {
        return std::chrono::steady_clock::time_point(std::chrono::hours(1)) + Duration(passed_ns_);
    }
    void advance(Duration by) { passed_ns_ += by.count(); }

  private:
    const UnixNanos start_ns_;
    std::atomic<Duration::rep> passed_ns_{0};
};

// "2026-11-21T01:02:03.000000004Z": always nine digits, always UTC.
std::string format_time(UnixNanos time_ns);
// RFC 3339 (any offset, 0-9 fractional digits), a date "2026-11-21", Unix seconds/ms/us/ns as
// digits (told apart by magnitude), or "-15m", "-2h", "-7d" relative to now_ns.
Result<UnixNanos> parse_time(std::string_view text, UnixNanos now_ns);
// "250ms", "5s", "1m30s", "2h", "7d"; a bare number is refused (it has no unit) except 0.
Result<Duration> parse_duration(std::string_view text);
std::string format_duration(Duration duration);  // the shortest exact form: "1m30s", "250ms"
// "131072", "64KiB", "200MiB", "1GB": bytes.
Result<std::uint64_t> parse_size(std::string_view text);
std::string format_size(std::uint64_t size_bytes);  // "200 MiB", for people

}  // namespace amoskys
