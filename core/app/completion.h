// Completion of the command line. The shell scripts are a few lines that ask the executable itself
// (`amoskys completion words -- WORD...`), so that they know every verb, option and value of it.
#pragma once

#include "core/app/builtin.h"

namespace amoskys::app {

// What may stand in place of the last of `words` (the one being typed, possibly empty): whole
// words that begin with it. ":files" where the name of a file or folder is wanted.
std::vector<std::string> complete(const std::vector<std::string>& words);

// `completion SHELL`, `completion words -- WORD...`
Result<> show_completion(BuiltinContext& context);

}  // namespace amoskys::app
