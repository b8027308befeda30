// The command line from option tables: tokens to settings by full key, and help text from the same
// tables. Boost.Program_options does the tokenizing; types and bounds are checked by core/config.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/config/config.h"

namespace amoskys::module {

// One table on the command line. Its settings get the key "<root>.<name>" ("name" where root is
// empty).
struct OptionGroup {
    std::string_view root;
    std::string_view title;  // headline in --help
    std::span<const config::Option> options;
    std::shared_ptr<void> (*make_config)() = nullptr;  // for the defaults in --help
};

using Settings = std::map<std::string, config::Setting>;

// "--http-listen" for "http.listen".
std::string flag_of(const config::Option& option);

// Usage errors name the flag and the nearest known one.
Result<Settings> parse_arguments(std::span<const std::string> arguments,
                                 std::span<const OptionGroup> groups);

// Stores the settings of one group straight into a config struct (for tables that are not in
// files).
Result<> apply_settings(const OptionGroup& group, const Settings& settings, void* config);

// The lines of --help for the groups: flags, units, help, defaults, bounds; 100 columns.
std::string help_options(std::span<const OptionGroup> groups);

}  // namespace amoskys::module
