// Writing YAML: of scalars (option tables) and of whole values (`-o yaml`). Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "core/json/json.h"

namespace amoskys::json {

// The text as a YAML scalar that loads as the same text and is never taken for a number, boolean,
// null or structure: plain where that is safe (also inside a flow sequence), else double-quoted.
std::string yaml_scalar(std::string_view text);

// Block style, two spaces a level, keys in their order, ends with a newline; empty containers in
// flow style. `indent` spaces stand before every line but the first.
std::string to_yaml(const Json& value, unsigned indent = 0);

}  // namespace amoskys::json
