// The values of the earlier system's environment names in our terms. Used by load.cc.
#pragma once

#include <string>
#include <string_view>

#include "core/config/config.h"

namespace amoskys::config {

// The text as the key of `name` takes it; config error where the value makes no sense at all.
Result<std::string> translate_earlier(const EarlierName& name, std::string_view value);

}  // namespace amoskys::config
