// Scoring models (kind model) as score runs them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/json/json.h"
#include "core/model/saved.h"

namespace amoskys::module {

// A dense table of numbers, row-major; NaN = missing, never infinite.
struct FeatureTable {
    std::vector<std::string> columns;
    std::vector<double> values;  // rows x columns
    // First row of each series: rows of one device, one after the other in time. Empty = one
    // series.
    std::vector<std::size_t> series;

    std::size_t rows() const { return columns.empty() ? 0 : values.size() / columns.size(); }
    std::span<const double> row(std::size_t i) const { return rows_of(i, i + 1); }
    std::span<const double> rows_of(std::size_t begin, std::size_t end) const {
        return std::span(values).subspan(begin * columns.size(), (end - begin) * columns.size());
    }
};

// Pure and thread-safe once made. A row has as many numbers as the table it was trained on had
// columns; NaN = missing.
class Model {
  public:
    virtual ~Model() = default;
    // How many rows before a row its score looks at; a model of single rows says 0. Where a series
    // has not that many yet, its first row stands for the missing ones.
    virtual std::size_t history() const = 0;
    // `rows` are consecutive, row-major. out = the scores of the last out.size() of them; those
    // before are looked back at. Larger = more unusual.
    virtual void score(std::span<const double> rows, std::span<double> out) const = 0;
    // How much each column speaks for the score of the last row (0 = not at all; any unit, but the
    // same for all rows, so that rows can be added up), and what was expected of it: the usual
    // value, or the one predicted for this row. Both have as many numbers as a row.
    virtual void explain(std::span<const double> rows, std::span<double> parts,
                         std::span<double> expected) const = 0;
    virtual model::Saved save() const = 0;
};

// The rows that follow: `values` and, around each, a margin within which nine of ten lay in
// training; both steps x columns.
struct Forecast {
    std::vector<double> values, margins;
};

struct ModelKind {
    // bad_data where the table cannot be learned from; usage for an unknown parameter.
    Result<std::unique_ptr<Model>> (*train)(const FeatureTable& table, std::uint64_t seed,
                                            const Json& parameters);
    // bad_data where `saved` is not what save() of this kind writes for so many columns.
    Result<std::unique_ptr<Model>> (*load)(const model::Saved& saved, std::size_t columns);
    std::string_view parameters;  // for --help: "trees (100), sample (256)"
    // Its scores are of rows that follow each other in time: they are smoothed.
    bool ordered = false;
    bool member = false;  // `fused` takes it
    // The `steps` rows after the last of `rows`, by a model of this kind; null where it has none.
    Forecast (*forecast)(const Model& model, std::span<const double> rows,
                         std::size_t steps) = nullptr;
};

// [first, last) of the rows of each series.
std::vector<std::pair<std::size_t, std::size_t>> series_of(const FeatureTable& table);

}  // namespace amoskys::module
