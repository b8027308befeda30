// The Isolation Forest as a model of `score`: training with checked parameters, scoring, and its
// JSON form. Thread-safe once made.
#pragma once

#include <cstdint>
#include <memory>

#include "core/module/model.h"

namespace amoskys::iforest {

// Parameters: "trees" 1..10000 (100), "sample" 2..1000000 (256).
Result<std::unique_ptr<module::Model>> train(const module::FeatureTable& table, std::uint64_t seed,
                                             const Json& parameters);

// {"format": 1, "columns": [...], "sample": n, "median": [...], "deviation": [...],
//  "trees": [{"feature": [...], "threshold": [...], "right": [...]}]}; feature -1 = leaf, right of
//  a
// leaf = its samples. Everything that walking a tree relies on is checked.
Result<std::unique_ptr<module::Model>> load(const Json& saved);

}  // namespace amoskys::iforest
