#include "core/module/metric_list.h"

#include "core/metrics/process.h"
#include "core/module/batch.h"
#include "core/module/lane_metrics.h"
#include "core/module/module.h"
#include "core/module/threshold.h"

namespace amoskys::module {

std::vector<ListedMetric> all_metrics() {
    std::vector<ListedMetric> out;
    const auto add = [&out](std::string_view owner, std::span<const metrics::MetricInfo> table) {
        for (const metrics::MetricInfo& info : table)
            out.push_back({owner, info});
    };
    add("process", metrics::process_metrics());
    add("agent", pipeline_metrics());
    add("agent", lane_metrics());
    add("agent", certificate_metrics());
    add("agent", threshold_metrics());
    for (const ModuleInfo* info : all_modules())
        add(info->name, info->metrics);
    return out;
}

}  // namespace amoskys::module
