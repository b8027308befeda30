// The verbs of `amoskys etl`, for its entry in the module table.
#pragma once

#include "core/module/module.h"

namespace amoskys::etl {

Result<> run_verb(module::ToolContext& context);
Result<> features_verb(module::ToolContext& context);

}  // namespace amoskys::etl
