// Events of metrics for tests.
#pragma once

#include <string_view>

#include "core/wire/event.h"

namespace amoskys::etl::test {

constexpr UnixNanos second = 1'000'000'000;
constexpr UnixNanos origin = 1'730'000'010 * second;

inline wire::Event gauge(std::string_view device, UnixNanos time_ns, std::string_view metric,
                         double value, std::string_view index = "") {
    wire::Event event;
    event.time_ns = time_ns;
    event.device = device;
    event.kind = wire::EventKind::metric;
    event.metric = metric;
    event.type = "GAUGE";
    event.index = index;
    event.value = value;
    return event;
}

inline wire::Event counter(std::string_view device, UnixNanos time_ns, std::string_view metric,
                           double value, std::string_view index = "") {
    wire::Event event = gauge(device, time_ns, metric, value, index);
    event.type = "COUNTER";
    event.unit = "bytes";
    return event;
}

}  // namespace amoskys::etl::test
