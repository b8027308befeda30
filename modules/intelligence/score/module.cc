// The module's entry in the table: data only.
#include "core/module/module.h"
#include "modules/intelligence/score/tool.h"

namespace amoskys::modules {
namespace {

using config::option;
using score::DriftConfig;
using score::EvalConfig;
using score::ForecastConfig;
using score::ModelsConfig;
using score::ScoreConfig;
using score::TrainConfig;

constexpr std::string_view features_help =
    "folder that etl wrote, or a CSV file; default <state_dir>/features";
constexpr std::string_view quantile_help =
    "the threshold is this quantile of the scores of the training rows";
constexpr std::string_view parameter_help = "name=number, of the model kind; repeatable";
constexpr std::string_view ignore_help = "column that is no feature; repeatable";

constexpr std::string_view threshold_help =
    "where an anomaly begins; auto = rolling for models of ordered rows, quantile for the others";
constexpr std::string_view confirm_help = "rows that must pass the threshold for an anomaly";
constexpr std::string_view within_help = "of so many of the last rows";
constexpr std::string_view fusion_help = "how the members of a fused model are put together";
constexpr std::string_view smooth_help =
    "scores are the mean of so many rows; 0 = 10 for models of ordered rows, 1 for the others";
constexpr config::Flags rules = {.choices = "auto|quantile|rolling|spot"};
constexpr config::Flags fusions = {.choices = "mean|weighted|bayesian|maximum"};

constexpr config::Option train_options[] = {
    option<&TrainConfig::features>("features", "", features_help),
    option<&TrainConfig::automatic>(
        "auto", "",
        "replaces the model only where the new one is better on the last fifth of rows"),
    option<&TrainConfig::name>("name", "", "name of the model; default its kind"),
    option<&TrainConfig::model>("model", "", "kind of the model, or fused: several kinds together"),
    option<&TrainConfig::seed>("seed", "", "seed of the random numbers"),
    option<&TrainConfig::threshold>("threshold", "", threshold_help, {}, rules),
    option<&TrainConfig::quantile>("quantile", "", quantile_help, {0, 1}),
    option<&TrainConfig::confirm>("confirm", "rows", confirm_help, {1, 1000}),
    option<&TrainConfig::within>("within", "rows", within_help, {1, 1000}),
    option<&TrainConfig::fusion>("fusion", "", fusion_help, {}, fusions),
    option<&TrainConfig::smooth>("smooth", "rows", smooth_help, {0, 1000}),
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
    option<&EvalConfig::model>("model", "", "kind of the model, or fused: several kinds together"),
    option<&EvalConfig::seed>("seed", "", "seed of the random numbers"),
    option<&EvalConfig::threshold>("threshold", "", threshold_help, {}, rules),
    option<&EvalConfig::quantile>("quantile", "", quantile_help, {0, 1}),
    option<&EvalConfig::confirm>("confirm", "rows", confirm_help, {1, 1000}),
    option<&EvalConfig::within>("within", "rows", within_help, {1, 1000}),
    option<&EvalConfig::fusion>("fusion", "", fusion_help, {}, fusions),
    option<&EvalConfig::smooth>("smooth", "rows", smooth_help, {0, 1000}),
    option<&EvalConfig::parameter>("parameter", "", parameter_help),
    option<&EvalConfig::ignore>("ignore", "", ignore_help),
};

constexpr config::Option models_options[] = {
    option<&ModelsConfig::words>("words", "", "list, activate NAME VERSION, or rollback NAME", {},
                                 {.positional = true}),
};

constexpr config::Option drift_options[] = {
    option<&DriftConfig::features>("features", "", features_help),
    option<&DriftConfig::name>("model", "", "name of the model"),
    option<&DriftConfig::ignore>("ignore", "", ignore_help),
};

constexpr config::Option forecast_options[] = {
    option<&ForecastConfig::features>("features", "", features_help),
    option<&ForecastConfig::name>("model", "", "name of the model; its kind must be var"),
    option<&ForecastConfig::ahead>("ahead", "rows", "how many rows ahead, 1 to 10000 each"),
    option<&ForecastConfig::ignore>("ignore", "", ignore_help),
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
     .summary = "lists the trained models and goes back to an earlier version",
     .options = models_options,
     .make_config = &config::make_config<ModelsConfig>,
     .run = &score::models_verb,
     .examples = "amoskys score models rollback iforest"},
    {.name = "drift",
     .summary = "says how far a table is from what a model was trained on, and when to train again",
     .options = drift_options,
     .make_config = &config::make_config<DriftConfig>,
     .run = &score::drift_verb,
     .examples = "amoskys score drift --features features --model iforest"},
    {.name = "forecast",
     .summary = "says what the features of each device will be, with intervals",
     .options = forecast_options,
     .make_config = &config::make_config<ForecastConfig>,
     .run = &score::forecast_verb,
     .examples = "amoskys score forecast --features features --ahead 1,6"},
};

}  // namespace

extern const module::ModuleInfo score_module;
const module::ModuleInfo score_module = {
    .name = "score",
    .kind = module::Kind::tool,
    .summary = "trains models on features, scores windows and says which features stand out",
    .details =
        "A model is a file in <state_dir>/models. A score is 1 - p^0.233, p = the part of the "
        "training rows that is\n"
        "as unusual: 0.8 is one in a thousand. A row above the threshold is an anomaly. Every "
        "score names the features\n"
        "that speak most for it.",
    .config_root = "",
    .default_output = "table",
    .verbs = verbs,
};

}  // namespace amoskys::modules
