// The verbs of `amoskys score` and their options, for its entry in the module table.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/module/module.h"

namespace amoskys::score {

// How a model is made: the same options for train and eval.
struct ModelConfig {
    std::string model = "iforest";
    std::uint64_t seed = 0;
    std::string threshold = "auto";
    double quantile = 0.99;
    std::uint64_t confirm = 1, within = 1;
    std::string fusion = "mean";
    std::uint64_t smooth = 0;  // 0 = the kind's own
    std::vector<std::string> parameter;
    std::vector<std::string> ignore;
};

struct TrainConfig : ModelConfig {
    bool automatic = false;
    std::string features;
    std::string name;  // empty = the kind's
};

struct ScoreConfig {
    std::string features;
    std::string name = "iforest";
    std::uint64_t reasons = 3;
    bool anomalies = false;
    std::uint64_t limit = 0;  // 0 = all, in the order of the table
    std::string out;
    std::vector<std::string> ignore;
};

struct EvalConfig : ModelConfig {
    std::string train, test;
    std::string label = "label";
};

struct ModelsConfig {
    std::vector<std::string> words;
};

struct DriftConfig {
    std::string features;
    std::string name = "iforest";
    std::vector<std::string> ignore;
};

struct ForecastConfig {
    std::string features;
    std::string name = "var";
    std::vector<std::string> ahead = {"5", "15", "60"};
    std::vector<std::string> ignore;
};

Result<> train_verb(module::ToolContext& context);
Result<> run_verb(module::ToolContext& context);
Result<> eval_verb(module::ToolContext& context);
Result<> models_verb(module::ToolContext& context);
Result<> drift_verb(module::ToolContext& context);
Result<> forecast_verb(module::ToolContext& context);

}  // namespace amoskys::score
