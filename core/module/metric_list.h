// Every metric that this executable can show, from the tables of its modules and of their hosts:
// for `config metrics` and what is written from it.
#pragma once

#include <vector>

#include "core/metrics/metrics.h"

namespace amoskys::module {

struct ListedMetric {
    std::string_view owner;  // a module, "agent" for what every collector has, "process"
    metrics::MetricInfo info;
};

// Of each owner in the order of its table.
std::vector<ListedMetric> all_metrics();

}  // namespace amoskys::module
