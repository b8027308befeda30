#include "core/module/host_config.h"
#include "core/module/module.h"

namespace amoskys::module {

const ModuleInfo* find_module(std::string_view name) {
    for (const ModuleInfo* info : all_modules())
        if (info->name == name)
            return info;
    return nullptr;
}

std::vector<config::Section> all_sections() {
    std::vector<config::Section> sections = host_sections();
    for (const ModuleInfo* info : all_modules())
        if (!info->config_root.empty())
            sections.push_back({info->config_root, info->options, info->make_config});
    return sections;
}

}  // namespace amoskys::module
