// Scoring models (kind model) as score runs them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/json/json.h"

namespace amoskys::module {

// A dense table of numbers, row-major; NaN = missing.
struct FeatureTable {
    std::vector<std::string> columns;
    std::vector<double> values;  // rows x columns
    std::size_t rows() const { return columns.empty() ? 0 : values.size() / columns.size(); }
    std::span<const double> row(std::size_t i) const {
        return {values.data() + i * columns.size(), columns.size()};
    }
};

struct Contribution {
    std::size_t column = 0;
    double share = 0;  // part of the score that this feature explains, 0..1
};

struct Score {
    double value = 0;                         // larger = more unusual
    std::vector<Contribution> contributions;  // largest first
};

// Pure and thread-safe once made.
class Model {
  public:
    virtual ~Model() = default;
    virtual Result<Score> score(std::span<const double> row) const = 0;
    virtual Json save() const = 0;
};

struct ModelKind {
    Result<std::unique_ptr<Model>> (*train)(const FeatureTable& table, std::uint64_t seed,
                                            const Json& parameters);
    Result<std::unique_ptr<Model>> (*load)(const Json& saved);
};

}  // namespace amoskys::module
