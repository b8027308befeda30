// The rules and the mapping of fields that the executable carries.
#pragma once

#include <span>
#include <string_view>

namespace amoskys::rules {

struct EmbeddedFile {
    std::string_view name, text;  // "fields.yaml", "proc_reverse_shell.yml"
};
std::span<const EmbeddedFile> embedded_files();  // generated from conf/rules

}  // namespace amoskys::rules
