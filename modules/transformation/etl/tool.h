// The verbs of `amoskys etl`, for its entry in the module table.
#pragma once

#include <string>

#include "core/module/module.h"

namespace amoskys::etl {

Result<> run_verb(module::ToolContext& context);
Result<> features_verb(module::ToolContext& context);
Result<> quality_verb(module::ToolContext& context);

// Options of `etl quality`.
struct QualityConfig {
    std::string features;
};

}  // namespace amoskys::etl
