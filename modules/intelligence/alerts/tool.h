// The verbs of `amoskys score alerts` and their options, for its entry in the module table.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/module/module.h"

namespace amoskys::alerts {

struct ListConfig {
    std::string state;
    std::string level;
    std::string device;
    std::uint64_t incident = 0;
    std::string fail_on;
};

struct AlertConfig {
    std::string id;
};

struct ChangeConfig {
    std::vector<std::string> id;
    std::string note;
};

struct LabelConfig {
    std::string id;
    std::string label;
};

struct DevicesConfig {
    std::string device;
};

Result<> list_verb(module::ToolContext& context);
Result<> show_verb(module::ToolContext& context);
Result<> ack_verb(module::ToolContext& context);
Result<> resolve_verb(module::ToolContext& context);
Result<> label_verb(module::ToolContext& context);
Result<> devices_verb(module::ToolContext& context);

}  // namespace amoskys::alerts
