// What an agent's lanes report of themselves: sent, acknowledged, spooled, lost. Counters follow
// the totals of the client and the spool.
#pragma once

#include <span>
#include <string>

#include "core/link/client.h"
#include "core/metrics/metrics.h"
#include "core/module/spool.h"

namespace amoskys::module {

std::span<const metrics::MetricInfo> lane_metrics();
std::span<const metrics::MetricInfo> certificate_metrics();

// Sets them from the totals; called now and then by the pipeline, on the io thread.
void update_lane_metrics(metrics::Registry& metrics, const std::string& lane,
                         const link::ClientStats& client, const SpoolStats& spool);

}  // namespace amoskys::module
