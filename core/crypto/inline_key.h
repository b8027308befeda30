// In a trust map a public key can stand in place of the path of its file, so that the map is one
// file
// (`pki trust export DIR --inline`):  host-1: base64:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
#pragma once

#include <string_view>

namespace amoskys::crypto {

inline constexpr std::string_view inline_key = "base64:";

}  // namespace amoskys::crypto
