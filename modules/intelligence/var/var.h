// The kind var as a model of `score`; README.md has its definition. Thread-safe once made.
#pragma once

#include <cstdint>
#include <memory>

#include "core/module/model.h"

namespace amoskys::var {

Result<std::unique_ptr<module::Model>> train(const module::FeatureTable& table, std::uint64_t seed,
                                             const Json& parameters);
Result<std::unique_ptr<module::Model>> load(const model::Saved& saved, std::size_t columns);

// `model` was made by train() or load() of this kind.
module::Forecast forecast(const module::Model& model, std::span<const double> rows,
                          std::size_t steps);

}  // namespace amoskys::var
