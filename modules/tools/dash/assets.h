// The page, embedded at build time by CMakeLists.txt: each file as gzip -9 made it.
#pragma once

#include <span>
#include <string_view>

#include "core/base/embedded_file.h"
#include "modules/tools/dash/message.h"

namespace amoskys::modules::dash {

std::span<const EmbeddedFile> page_files();
// "/" is index.html; nullptr where there is none.
const EmbeddedFile* find_asset(std::string_view path);
// 200, 304, or 406 for one who takes no gzip.
Response asset_response(const Request& request, const EmbeddedFile& asset);

}  // namespace amoskys::modules::dash
