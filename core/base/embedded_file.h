// A file that the build put into the executable: core/cmake/EmbedFiles.cmake writes the tables.
#pragma once

#include <string_view>

namespace amoskys {

struct EmbeddedFile {
    std::string_view name;  // without its folder: "default.yaml"
    std::string_view content;
};

}  // namespace amoskys
