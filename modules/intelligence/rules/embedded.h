// The rules and the mapping of fields that the executable carries.
#pragma once

#include <span>

#include "core/base/embedded_file.h"

namespace amoskys::rules {

std::span<const EmbeddedFile> embedded_files();  // of conf/rules

}  // namespace amoskys::rules
