// The module's entry in the table: data only.
#include "core/module/module.h"
#include "modules/intelligence/zscore/zscore.h"

namespace amoskys::modules {

namespace {

constexpr module::ModelKind model = {
    .train = &zscore::train,
    .load = &zscore::load,
    .parameters =
        "window (rows looked at together; 0: 1, of a single column 100), robust (0; 1: median and "
        "quantiles), "
        "statistics (0; mean, deviation and extremes of so many rows)",
    .ordered = true,
    .member = true,
};

}  // namespace

extern const module::ModuleInfo zscore_module;
const module::ModuleInfo zscore_module = {
    .name = "zscore",
    .kind = module::Kind::model,
    .summary = "distance from the usual in deviations, over all columns",
    .model = &model,
};

}  // namespace amoskys::modules
