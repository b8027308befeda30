// The module's entry in the table: data only.
#include "core/module/module.h"
#include "modules/transformation/window_stats/statistics.h"
#include "modules/transformation/window_stats/window_stats.h"

namespace amoskys::modules {

namespace {

constexpr module::ExtractorKind extractor = {
    .stage = "window_stats",
    .make = &window_stats::make_extractor,
    .catalogue = window_stats::catalogue,
};

}  // namespace

extern const module::ModuleInfo window_stats_module;
const module::ModuleInfo window_stats_module = {
    .name = "window_stats",
    .kind = module::Kind::extractor,
    .summary =
        "features: levels, spread, quantiles, change and surprise of each metric in a window",
    .extractor = &extractor,
};

}  // namespace amoskys::modules
