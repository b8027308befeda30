// Where rules come from: the executable, <state_dir>/rules, folders that are named.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "modules/intelligence/rules/engine.h"

namespace amoskys::rules {

inline constexpr std::uint64_t max_rule_file_bytes = 1U << 20U;

// The .yml and .yaml files below a folder, in order of their names; the file itself where it is
// one. no_input where it is not there; bad_data beyond 20,000 files.
Result<std::vector<std::filesystem::path>> rule_files_below(const std::filesystem::path& path);

// Files that cannot be read become invalid rules.
std::vector<ParsedRule> rules_of_file(const std::filesystem::path& file);
Result<std::vector<ParsedRule>> rules_below(const std::filesystem::path& path);
std::vector<ParsedRule> embedded_rules();
Result<std::vector<EventClass>> embedded_mapping();

// The executable's rules, then those of <state_dir>/rules, then those below `paths`.
struct RuleSources {
    bool embedded = true;
    std::filesystem::path state_dir;  // empty: none
    std::span<const std::string> paths;
};
Result<std::unique_ptr<Engine>> load_engine(const RuleSources& sources);

}  // namespace amoskys::rules
