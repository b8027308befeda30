// The module's entry in the table: data only.
#include "core/module/module.h"
#include "modules/transformation/window_stats/window_stats.h"

namespace amoskys::modules {

namespace {

constexpr module::FeatureForm catalogue[] = {
    {"METRIC_mean", "of the metric", "mean of the samples in the window"},
    {"METRIC_std", "of the metric",
     "standard deviation of the samples, with n-1; missing with one sample"},
    {"METRIC_min", "of the metric", "smallest sample"},
    {"METRIC_max", "of the metric", "largest sample"},
    {"METRIC_median", "of the metric", "median; mean of the two middle samples where n is even"},
    {"METRIC_slope", "of the metric, per second",
     "slope of the least-squares line over time; missing with one sample"},
};

constexpr module::ExtractorKind extractor = {
    .stage = "window_stats",
    .make = &window_stats::make_extractor,
    .catalogue = catalogue,
};

}  // namespace

extern const module::ModuleInfo window_stats_module;
const module::ModuleInfo window_stats_module = {
    .name = "window_stats",
    .kind = module::Kind::extractor,
    .summary = "features: mean, std, min, max, median and slope of each metric in a window",
    .extractor = &extractor,
};

}  // namespace amoskys::modules
