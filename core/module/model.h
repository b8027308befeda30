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

// A dense table of numbers, row-major; NaN = missing, never infinite.
struct FeatureTable {
    std::vector<std::string> columns;
    std::vector<double> values;  // rows x columns
    std::size_t rows() const { return columns.empty() ? 0 : values.size() / columns.size(); }
    std::span<const double> row(std::size_t i) const {
        return {values.data() + i * columns.size(), columns.size()};
    }
};

// Why a row got its score: one feature's part in it.
struct Contribution {
    std::size_t column = 0;
    double expected = 0;  // typical value in training
    double share = 0;     // part of the score that this feature explains, 0..1
};

// Pure and thread-safe once made.
class Model {
  public:
    virtual ~Model() = default;
    // The columns it was trained on: a row has their values in this order.
    virtual std::span<const std::string> columns() const = 0;
    // Larger = more unusual. NaN in the row = missing.
    virtual double score(std::span<const double> row) const = 0;
    // The features that speak most for the row's score, largest first, at most `most`.
    virtual std::vector<Contribution> explain(std::span<const double> row,
                                              std::size_t most) const = 0;
    virtual Json save() const = 0;
};

struct ModelKind {
    // bad_data where the table cannot be learned from; usage for an unknown parameter.
    Result<std::unique_ptr<Model>> (*train)(const FeatureTable& table, std::uint64_t seed,
                                            const Json& parameters);
    // bad_data where `saved` is not what save() of this kind writes.
    Result<std::unique_ptr<Model>> (*load)(const Json& saved);
    std::string_view parameters;  // for --help: "trees (100), sample (256)"
};

}  // namespace amoskys::module
