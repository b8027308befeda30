// The bench noun: what a run measured. Numbers of all publishers together; keys are pinned by a
// golden test.
#pragma once

#include <span>

#include "core/json/json.h"
#include "modules/tools/bench/publisher.h"

namespace amoskys::modules::bench {

struct Setup {
    std::string bus;
    std::uint64_t publishers = 0, batch = 0, rate = 0;
};
Json report(const Setup& setup, const Load& load, std::span<const Outcome> outcomes);

}  // namespace amoskys::modules::bench
