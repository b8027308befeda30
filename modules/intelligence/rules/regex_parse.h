// The text of a regular expression as instructions; inside this folder only.
#pragma once

#include "modules/intelligence/rules/regex.h"

namespace amoskys::rules {

struct RegexProgram {
    std::vector<Regex::Instruction> instructions;
    std::vector<Regex::ByteSet> sets;
};
Result<RegexProgram> parse_regex(std::string_view pattern, Regex::Flags flags);

}  // namespace amoskys::rules
