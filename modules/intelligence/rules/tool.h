// The verbs of `amoskys score rules` and their options, for its entry in the module table.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/module/module.h"

namespace amoskys::rules {

struct PathsConfig {
    std::vector<std::string> path;
};

struct ListConfig {
    std::vector<std::string> path;
    bool own = false;
    std::string state;
};

struct ExplainConfig {
    std::string rule;
    std::vector<std::string> rules;
};

struct RunConfig {
    std::vector<std::string> rules;
    bool own = false;
    std::string min_level = "low";
    std::string fail_on;
    bool follow = false;
};

struct TestConfig {
    std::vector<std::string> path;
    std::uint64_t limit = 0;
};

Result<> list_verb(module::ToolContext& context);
Result<> lint_verb(module::ToolContext& context);
Result<> add_verb(module::ToolContext& context);
Result<> explain_verb(module::ToolContext& context);
Result<> run_rules_verb(module::ToolContext& context);
Result<> test_verb(module::ToolContext& context);

std::vector<module::DataFile> data_files();

}  // namespace amoskys::rules
