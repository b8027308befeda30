// The module's entry in the table: data only.
#include "core/module/module.h"
#include "modules/transformation/process_stats/process_stats.h"

namespace amoskys::modules {

namespace {

constexpr module::ExtractorKind process_stats_extractor = {
    .stage = "process_stats",
    .make = &process_stats::make_extractor,
    .catalogue = process_stats::catalogue,
};

}  // namespace

extern const module::ModuleInfo process_stats_module;
const module::ModuleInfo process_stats_module = {
    .name = "process_stats",
    .kind = module::Kind::extractor,
    .summary = "features: processes of a device in a window, their lives, resources and names",
    .extractor = &process_stats_extractor,
};

}  // namespace amoskys::modules
