// One row of a replayed file: values of one device at one time. Views are of the reader's buffer
// and valid until its next row.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/clock.h"

namespace amoskys::replay {

struct Value {
    std::string_view metric;
    std::variant<double, std::uint64_t, std::string_view, bool>
        value;  // uint64: a whole number from 2^53 on
    std::string_view type = "GAUGE";
    std::string_view unit, index;
    std::vector<std::pair<std::string, std::string>> labels;
};

struct Row {
    std::string_view device;
    UnixNanos time_ns = 0;
    std::vector<Value> values;
};

}  // namespace amoskys::replay
