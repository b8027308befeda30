// The module's entry in the table: data only.
#include "core/module/module.h"
#include "modules/transformation/flow_stats/flow_stats.h"

namespace amoskys::modules {

namespace {

constexpr module::ExtractorKind flow_stats_extractor = {
    .stage = "flow_stats",
    .make = &flow_stats::make_extractor,
    .catalogue = flow_stats::catalogue,
};

}  // namespace

extern const module::ModuleInfo flow_stats_module;
const module::ModuleInfo flow_stats_module = {
    .name = "flow_stats",
    .kind = module::Kind::extractor,
    .summary =
        "features: flows of a device in a window, their volumes, ends, failures and patterns",
    .extractor = &flow_stats_extractor,
};

}  // namespace amoskys::modules
