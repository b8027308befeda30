// The options of `amoskys bench`. Defaults stand here and nowhere else.
#pragma once

#include <string>

#include "core/config/option.h"
#include "core/module/module.h"

namespace amoskys::modules::bench {

struct BenchOptions {
    std::string bus = "127.0.0.1:50051";
    std::string id;
    std::string lane = "bench";
    std::uint64_t publishers = 1;
    std::uint64_t batch = 50;
    config::Size size{2200};
    std::uint64_t rate = 0;
    Duration duration = std::chrono::seconds(10);
};

Result<> bench(module::ToolContext& context);

}  // namespace amoskys::modules::bench
