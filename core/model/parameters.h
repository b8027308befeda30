// The parameters of a model kind: one table of names, defaults and bounds.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/json/json.h"

namespace amoskys::model {

struct Parameter {
    std::string_view name;
    double value = 0;  // default
    double least = 0, most = 0;
    bool whole = true;
};

// The values in the order of the table. usage for an unknown name or a value out of bounds.
Result<std::vector<double>> read_parameters(std::string_view kind, std::span<const Parameter> known,
                                            const Json& given);

}  // namespace amoskys::model
