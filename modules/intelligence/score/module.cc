// The module's entry in the table: data only.
#include "core/module/module.h"
#include "modules/intelligence/score/tool.h"

namespace amoskys::modules {
namespace {

using config::option;
using score::EvalConfig;
using score::ScoreConfig;
using score::TrainConfig;

constexpr std::string_view features_help =
    "folder that etl wrote, or a CSV file; default <state_dir>/features";
constexpr std::string_view quantile_help =
    "the threshold is this quantile of the scores of the training rows";
constexpr std::string_view parameter_help = "name=number, of the model kind; repeatable";
constexpr std::string_view ignore_help = "column that is no feature; repeatable";

constexpr config::Option train_options[] = {
    option<&TrainConfig::features>("features", "", features_help),
    option<&TrainConfig::model>("model", "", "kind of the model"),
    option<&TrainConfig::name>("name", "", "name of the model; default its kind"),
    option<&TrainConfig::seed>("seed", "", "seed of the random numbers"),
    option<&TrainConfig::quantile>("quantile", "", quantile_help, {0, 1}),
    option<&TrainConfig::parameter>("parameter", "", parameter_help),
    option<&TrainConfig::ignore>("ignore", "", ignore_help),
};

constexpr config::Option run_options[] = {
    option<&ScoreConfig::features>("features", "", features_help),
    option<&ScoreConfig::name>("model", "", "name of the model"),
    option<&ScoreConfig::reasons>("reasons", "features", "most features named for each score",
                                  {0, 100}),
    option<&ScoreConfig::anomalies>("anomalies", "", "only rows above the threshold"),
    option<&ScoreConfig::limit>("limit", "rows",
                                "only the rows with the highest scores, highest first; 0 = all"),
    option<&ScoreConfig::out>("out", "",
                              "file for the rows, replaced as a whole; ndjson unless -o says csv, "
                              "json or yaml"),
    option<&ScoreConfig::ignore>("ignore", "", ignore_help),
};

constexpr config::Option eval_options[] = {
    option<&EvalConfig::train>("train", "", "CSV to learn from", {}, {.required = true}),
    option<&EvalConfig::test>("test", "", "CSV with labels to score", {}, {.required = true}),
    option<&EvalConfig::label>("label", "", "column that is 1 for an anomaly and 0 otherwise"),
    option<&EvalConfig::model>("model", "", "kind of the model"),
    option<&EvalConfig::seed>("seed", "", "seed of the random numbers"),
    option<&EvalConfig::quantile>("quantile", "", quantile_help, {0, 1}),
    option<&EvalConfig::parameter>("parameter", "", parameter_help),
    option<&EvalConfig::ignore>("ignore", "", ignore_help),
};

constexpr module::Verb verbs[] = {
    {.name = "train",
     .summary = "learns what is usual from a table of features",
     .options = train_options,
     .make_config = &config::make_config<TrainConfig>,
     .run = &score::train_verb,
     .examples = "amoskys score train --features features --model iforest"},
    {.name = "run",
     .summary = "scores the windows of a table and says why",
     .options = run_options,
     .make_config = &config::make_config<ScoreConfig>,
     .run = &score::run_verb,
     .examples = "amoskys score run --features features -o ndjson"},
    {.name = "eval",
     .summary = "trains on one table and measures on another one with labels",
     .options = eval_options,
     .make_config = &config::make_config<EvalConfig>,
     .run = &score::eval_verb,
     .examples = "amoskys score eval --train train.csv --test test.csv --label label -o json"},
    {.name = "models",
     .summary = "lists the trained models",
     .options = {},
     .make_config = nullptr,
     .run = &score::models_verb,
     .examples = "amoskys score models"},
};

}  // namespace

extern const module::ModuleInfo score_module;
const module::ModuleInfo score_module = {
    .name = "score",
    .kind = module::Kind::tool,
    .summary = "trains models on features, scores windows and says which features stand out",
    .details =
        "A model is a file in <state_dir>/models. A row above its threshold is an anomaly; the "
        "threshold is a quantile\n"
        "of the scores of the rows it was trained on. Every score names the features that speak "
        "most for it.",
    .config_root = "",
    .default_output = "table",
    .verbs = verbs,
};

}  // namespace amoskys::modules
