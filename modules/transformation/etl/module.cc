// The module's entry in the table: data only.
#include "core/module/module.h"

#include "modules/transformation/etl/etl.h"
#include "modules/transformation/etl/tool.h"

namespace amoskys::modules {
namespace {

using config::option;
using etl::EtlConfig;
using etl::QualityConfig;
using etl::RunConfig;

constexpr config::Option options[] = {
    option<&EtlConfig::window>("window", "", "length of a window", {0.001, 86'400}),
    option<&EtlConfig::step>("step", "", "time from one window's start to the next one's",
                             {0.001, 86'400}),
    option<&EtlConfig::align>("align", "",
                              "where windows start: at multiples of the step since 1970, or at the "
                              "device's first sample",
                              {}, {.choices = "epoch|first"}),
    option<&EtlConfig::fill>("fill", "",
                             "what stands in for a metric that a poll of its device lacks", {},
                             {.choices = "none|device-median"}),
    option<&EtlConfig::lateness>("lateness", "",
                                 "how much later than its device's newest sample one may come",
                                 {0, 604'800}),
    option<&EtlConfig::partial>("partial", "",
                                "windows that begin before their device was seen or end after it",
                                {}, {.choices = "drop|keep"}),
    option<&EtlConfig::validation>("validation", "",
                                   "share of each device's windows, the newest, that is kept for "
                                   "validation; baselines and scales are learned from the others",
                                   {0, 0.9}),
    option<&EtlConfig::key_metrics>("key_metrics", "",
                                    "metrics whose pairs are correlated and whose last samples "
                                    "are averaged over longer than a window"),
    option<&EtlConfig::thresholds>("thresholds", "",
                                   "METRIC=LIMIT: a column METRIC_over says which windows pass it",
                                   {}, {.check = &etl::check_threshold}),
    option<&EtlConfig::time_zone>("time_zone", "",
                                  "zone of hours and days: UTC, an offset like -05:00, a name "
                                  "like America/Chicago, or empty for the machine's own"),
    option<&EtlConfig::top_interfaces>("top_interfaces", "",
                                       "so many interfaces of each device, those with most traffic "
                                       "in the training part, get metrics of their own",
                                       {0, 64}),
    option<&EtlConfig::one_hot>("one_hot", "",
                                "columns of 0 and 1 for what is no number: device (for each with "
                                "a baseline), protocol (of most flows)",
                                {}, {.check = &etl::check_one_hot}),
    option<&EtlConfig::scale>("scale", "",
                              "of train_features and val_features: robust takes the training "
                              "part's median away and divides by its interquartile range",
                              {}, {.choices = "none|robust"}),
    option<&EtlConfig::log_metrics>(
        "log_metrics", "", "metrics with heavy tails: their levels are scaled by their logarithm"),
    option<&EtlConfig::format>("format", "", "files of the tables", {},
                               {.choices = "csv|parquet|both"}),
    option<&EtlConfig::compression>("compression", "", "of Parquet files", {},
                                    {.choices = "snappy|zstd|none"}),
    option<&EtlConfig::digits>(
        "digits", "digits",
        "significant digits of numbers in CSV; 17 gives every double back exactly", {1, 17}),
};

constexpr config::Option run_options[] = {
    option<&RunConfig::out>("out", "", "folder for the tables; default <state_dir>/features"),
    option<&RunConfig::since>("since", "", "windows from this time on: RFC 3339, Unix time, -2h"),
    option<&RunConfig::until>("until", "", "windows that end by this time"),
    option<&RunConfig::device>("device", "", "only these devices; * and ? match; repeatable"),
    option<&RunConfig::baseline>("baseline", "",
                                 "feature_metadata.json of an earlier run, whose baselines are "
                                 "used instead of learning new ones",
                                 {}, {.path = true}),
    option<&RunConfig::incremental>("incremental", "",
                                    "writes the windows that closed since the run before as "
                                    "further files, each window once; see manifest.json"),
    option<&RunConfig::follow>("follow", "",
                               "prints rows as windows close, as NDJSON, and goes on with the log; "
                               "with --incremental, goes on writing files"),
    option<&RunConfig::every>("every", "", "with --incremental --follow: time between files",
                              {0.1, 86'400}),
    option<&RunConfig::partition>("partition", "", "with --incremental: the folders of the files",
                                  {}, {.choices = "date|device|date,device"}),
};

constexpr config::Option quality_options[] = {
    option<&QualityConfig::features>("features", "",
                                     "folder of the tables; default <state_dir>/features"),
};

constexpr module::Verb verbs[] = {
    {.name = "",
     .summary = "reads the log and writes features",
     .options = run_options,
     .make_config = &config::make_config<RunConfig>,
     .run = &etl::run_verb,
     .examples = "amoskys etl --out features\n"
                 "amoskys etl --since -2h --window 5m --step 1m --device 'switch-*'\n"
                 "amoskys etl --incremental --follow --out features"},
    {.name = "features",
     .summary = "lists the catalogue of features",
     .options = {},
     .make_config = nullptr,
     .run = &etl::features_verb,
     .examples = "amoskys etl features -o csv"},
    {.name = "quality",
     .summary = "shows the quality report of the tables, worst features first",
     .options = quality_options,
     .make_config = &config::make_config<QualityConfig>,
     .run = &etl::quality_verb,
     .examples = "amoskys etl quality --features features"},
};

}  // namespace

extern const module::ModuleInfo etl_module;
const module::ModuleInfo etl_module = {
    .name = "etl",
    .kind = module::Kind::tool,
    .summary = "turns the log into features: windows of each device's metrics as tables",
    .details =
        "Reads the log of the state directory (the bus may be running), puts each device's samples "
        "in order of\n"
        "event time, turns counters into rates and table rows into one value per metric, and "
        "computes features of\n"
        "sliding windows. Writes canonical_telemetry_full as CSV and Parquet, "
        "feature_metadata.json,\n"
        "pipeline_summary.json, quality_report.json and three pictures; a file under its final "
        "name is always\n"
        "complete. What is missing stays an empty cell, or null.",
    .config_root = "etl",
    .options = options,
    .make_config = &config::make_config<EtlConfig>,
    .default_output = "table",
    .verbs = verbs,
};

}  // namespace amoskys::modules
