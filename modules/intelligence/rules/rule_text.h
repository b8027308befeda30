// Rules in words and as rows.
#pragma once

#include <string>

#include "core/json/json.h"
#include "modules/intelligence/rules/engine.h"

namespace amoskys::rules {

Json rule_row(const Rule& rule, const Placement& placement);

// What the rule says of itself, where it looks, and its condition in lines of plain words.
Json explanation(const Rule& rule, const Placement& placement);

// "CommandLine contains 'x'", indented by the depth in and, or, not; at most 200 lines.
std::vector<std::string> condition_lines(const Detection& detection);
std::vector<std::string> condition_lines(const Correlation& correlation);

}  // namespace amoskys::rules
