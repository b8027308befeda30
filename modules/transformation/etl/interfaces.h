// On demand (etl.top_interfaces): the interfaces of each device that carry most, kept apart from
// the sum of all.
//
// Rule: an interface's traffic is the mean of its octets per second, in and out, over the samples
// of the training part, times their number. The first N of a device, loopback left out, get metrics
// of their own beside the sums: METRIC_top1 (most traffic) to METRIC_topN of octets, packets and
// errors. Which ones these are is measured once, in a reading of the log before the others, and
// kept with the baselines as INDEX of interface_traffic[INDEX], so that increments, followers and
// --baseline have the same ones whatever comes later.
#pragma once

#include <map>
#include <string>

#include "modules/transformation/etl/baseline.h"

namespace amoskys::etl {

std::string traffic_metric(std::string_view index);

// Of what was measured, the entries of the first `count` interfaces of each device.
Baselines most_traffic(const Baselines& measured, std::size_t count);
// Their ranks.
TopInterfaces top_interfaces(const Baselines& baselines, std::size_t count);

}  // namespace amoskys::etl
