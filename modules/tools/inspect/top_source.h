// Where `inspect top` has its samples from: the log of this machine, or a running bus by its
// METRICS and HEALTH calls. One thread.
#pragma once

#include <memory>

#include "core/wal/log.h"
#include "modules/tools/inspect/bus_identity.h"
#include "modules/tools/inspect/top_view.h"

namespace amoskys::modules::inspect {

class TopSource {
  public:
    virtual ~TopSource() = default;
    virtual Result<TopSample> sample() = 0;
};

std::unique_ptr<TopSource> top_of_log(std::shared_ptr<wal::Log> log, std::string name);
std::unique_ptr<TopSource> top_of_bus(BusIdentity identity);

// METRICS' answer as a sample.
void read_metrics(const messaging::MetricsResponse& answer, TopSample& out);

}  // namespace amoskys::modules::inspect
