// The Isolation Forest as a model of `score`: training with checked parameters, scores of 0..1 and
// reasons. Thread-safe once made.
#pragma once

#include <cstdint>
#include <memory>

#include "core/module/model.h"

namespace amoskys::iforest {

// Parameters: "trees" 1..10000 (100), "sample" 2..1000000 (256).
Result<std::unique_ptr<module::Model>> train(const module::FeatureTable& table, std::uint64_t seed,
                                             const Json& parameters);

// The lists of model::Forest, "median" and "deviation".
Result<std::unique_ptr<module::Model>> load(const model::Saved& saved, std::size_t columns);

}  // namespace amoskys::iforest
