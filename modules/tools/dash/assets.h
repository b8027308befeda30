// The page, embedded at build time by CMakeLists.txt: each file as gzip -9 made it.
#pragma once

#include <span>
#include <string_view>

#include "modules/tools/dash/message.h"

namespace amoskys::modules::dash {

struct Asset {
    std::string_view path, content_type;
    std::string_view gzip;
};
std::span<const Asset> assets();
const Asset* find_asset(std::string_view path);
// 200, 304, or 406 for one who takes no gzip.
Response asset_response(const Request& request, const Asset& asset);

}  // namespace amoskys::modules::dash
