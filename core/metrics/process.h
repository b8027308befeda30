// CPU time, memory, open files and start of this process, under the names that every exporter uses.
// Every registry's text ends with them. Any thread.
#pragma once

#include "core/metrics/metrics.h"

namespace amoskys::metrics {

std::span<const MetricInfo> process_metrics();
// What one of them is now.
double process_value(const MetricInfo& info);

}  // namespace amoskys::metrics
