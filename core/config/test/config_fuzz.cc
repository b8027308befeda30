// Any bytes as a configuration file: loading ends with entries or with messages, never otherwise.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/config/yaml_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto file = amoskys::config::parse_yaml(text, "fuzz.yaml");
    for (const auto& entry : file.entries)
        if (entry.key.empty() || entry.line < 0 || entry.column < 0)
            std::abort();
    for (const auto& problem : file.problems)
        if (problem.text.empty() || problem.where.empty())
            std::abort();
    return 0;
}
