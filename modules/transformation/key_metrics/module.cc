// The module's entry in the table: data only.
#include "core/module/module.h"
#include "modules/transformation/key_metrics/key_metrics.h"

namespace amoskys::modules {

namespace {

constexpr module::FeatureForm key_metrics_catalogue[] = {
    {"corr_METRIC_METRIC", "1",
     "Pearson correlation of two key metrics at their common times; missing below 3 of them or "
     "where one does not vary"},
    {"ratio_METRIC_METRIC", "of the first per that of the second",
     "mean of the first key metric over mean of the second; missing where that is 0"},
    {"METRIC_roll_mean_N", "of the metric",
     "mean of a key metric's last 5, 10, 30 samples up to the window's end, or what there is"},
    {"METRIC_roll_std_N", "of the metric", "standard deviation (n-1) of these"},
    {"METRIC_roll_max_N", "of the metric", "largest of these"},
    {"METRIC_over", "1", "1 where the largest sample is above the metric's threshold, else 0"},
};

constexpr module::ExtractorKind key_metrics_extractor = {
    .stage = "key_metrics",
    .make = &key_metrics::make_extractor,
    .catalogue = key_metrics_catalogue,
};

}  // namespace

extern const module::ModuleInfo key_metrics_module;
const module::ModuleInfo key_metrics_module = {
    .name = "key_metrics",
    .kind = module::Kind::extractor,
    .summary = "features: correlations, ratios, rolling statistics and limits of the key metrics",
    .extractor = &key_metrics_extractor,
};

}  // namespace amoskys::modules
