// Other modules are not linked with the tests of this one: their table is empty. For one source of
// an executable.
#pragma once

#include "core/module/module.h"

namespace amoskys::module {

std::span<const ModuleInfo* const> all_modules() {
    return {};
}

}  // namespace amoskys::module
