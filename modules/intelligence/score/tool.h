// The verbs of `amoskys score` and their options, for its entry in the module table.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/module/module.h"

namespace amoskys::score {

struct TrainConfig {
    std::string features;
    std::string model = "iforest";
    std::string name;  // empty = the kind's
    std::uint64_t seed = 0;
    double quantile = 0.99;
    std::vector<std::string> parameter;
    std::vector<std::string> ignore;
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

struct EvalConfig {
    std::string train, test;
    std::string label = "label";
    std::string model = "iforest";
    std::uint64_t seed = 0;
    double quantile = 0.99;
    std::vector<std::string> parameter;
    std::vector<std::string> ignore;
};

Result<> train_verb(module::ToolContext& context);
Result<> run_verb(module::ToolContext& context);
Result<> eval_verb(module::ToolContext& context);
Result<> models_verb(module::ToolContext& context);

}  // namespace amoskys::score
