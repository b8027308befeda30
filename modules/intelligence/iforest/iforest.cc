#include "modules/intelligence/iforest/iforest.h"

#include <algorithm>
#include <cmath>

#include "core/base/check.h"
#include "core/model/forest.h"
#include "core/model/parameters.h"
#include "core/model/scale.h"

namespace amoskys::iforest {
namespace {

// Medians are of at most so many rows, evenly spread over the table: training stays at some ms.
constexpr std::size_t most_median_rows = 1024;

struct Columns {
    std::vector<double> median;     // stands in for a missing value
    std::vector<double> deviation;  // model::ColumnScale's
};

Columns columns_of(const module::FeatureTable& table) {
    const std::size_t width = table.columns.size();
    Columns out{std::vector<double>(width, 0), {}};
    const std::size_t step = (table.rows() + most_median_rows - 1) / most_median_rows;
    std::vector<double> some, present;
    for (std::size_t row = 0; row < table.rows(); row += step)
        some.insert(some.end(), table.row(row).begin(), table.row(row).end());
    for (const model::ColumnScale& scale : model::column_scales(some, width))
        out.deviation.push_back(scale.deviation);
    for (std::size_t c = 0; c < width; ++c) {
        present.clear();
        for (std::size_t at = c; at < some.size(); at += width)
            if (!std::isnan(some[at]))
                present.push_back(some[at]);
        if (present.empty())
            continue;
        const auto middle = present.begin() + static_cast<std::ptrdiff_t>(present.size() / 2);
        std::nth_element(present.begin(), middle, present.end());
        out.median[c] = *middle;
    }
    return out;
}

class IsolationForest final : public module::Model {
  public:
    IsolationForest(model::Forest forest, Columns columns)
        : forest_(std::move(forest)), columns_(std::move(columns)) {}

    std::size_t history() const override { return 0; }
    void score(std::span<const double> rows, std::span<double> out) const override;
    void explain(std::span<const double> rows, std::span<double> parts,
                 std::span<double> expected) const override;
    model::Saved save() const override;

  private:
    model::Forest forest_;
    Columns columns_;
};

void as_floats(std::span<const double> row, const std::vector<double>& median,
               std::span<float> out) {
    for (std::size_t i = 0, c = 0; i < row.size(); ++i) {
        out[i] = model::to_float(std::isnan(row[i]) ? median[c] : row[i]);
        if (++c == median.size())
            c = 0;
    }
}

void IsolationForest::score(std::span<const double> rows, std::span<double> out) const {
    constexpr std::size_t at_once = 1024;
    const std::size_t width = columns_.median.size();
    check(rows.size() % width == 0 && rows.size() >= out.size() * width,
          "a row must have the model's columns");
    rows = rows.last(out.size() * width);
    std::vector<float> floats(std::min(out.size(), at_once) * width);
    for (std::size_t row = 0; row < out.size(); row += at_once) {
        const std::size_t count = std::min(at_once, out.size() - row);
        const std::span part = std::span(floats).first(count * width);
        as_floats(rows.subspan(row * width, count * width), columns_.median, part);
        forest_.score(part, out.subspan(row, count));
    }
}

void IsolationForest::explain(std::span<const double> rows, std::span<double> parts,
                              std::span<double> expected) const {
    const auto row = rows.last(columns_.median.size());
    std::vector<float> floats(row.size());
    as_floats(row, columns_.median, floats);
    const std::vector<double> early = forest_.early_uses(floats);
    for (std::size_t c = 0; c < parts.size(); ++c) {
        const double off =
            std::isnan(row[c]) ? 0 : (row[c] - columns_.median[c]) / columns_.deviation[c];
        const double part = std::min(std::abs(off), 1e6) * early[c];
        parts[c] = part * part;
    }
    std::copy(columns_.median.begin(), columns_.median.end(), expected.begin());
}

model::Saved IsolationForest::save() const {
    model::Saved out("iforest");
    out.put("median", columns_.median);
    out.put("deviation", columns_.deviation);
    forest_.save(out);
    return out;
}

}  // namespace

Result<std::unique_ptr<module::Model>> train(const module::FeatureTable& table, std::uint64_t seed,
                                             const Json& parameters) {
    static constexpr model::Parameter known[] = {{"trees", 100, 1, model::most_trees},
                                                 {"sample", 256, 2, model::most_samples}};
    AMOSKYS_TRY(values, model::read_parameters("iforest", known, parameters));
    const std::size_t width = table.columns.size();
    AMOSKYS_TRY_VOID(model::check_table("iforest", table.rows(), width, 2, SIZE_MAX));
    Columns columns = columns_of(table);
    model::Forest forest = model::Forest::build(table.rows(), width,
                                                {.trees = static_cast<std::size_t>(values[0]),
                                                 .sample = static_cast<std::size_t>(values[1])},
                                                seed, [&](std::size_t row, std::span<float> out) {
                                                    as_floats(table.row(row), columns.median, out);
                                                });
    return std::make_unique<IsolationForest>(std::move(forest), std::move(columns));
}

Result<std::unique_ptr<module::Model>> load(const model::Saved& saved, std::size_t columns) {
    AMOSKYS_TRY_VOID(saved.check_format(1));
    AMOSKYS_TRY(median, saved.numbers("median", columns));
    AMOSKYS_TRY(deviation, saved.numbers("deviation", columns));
    if (std::any_of(deviation.begin(), deviation.end(), [](double d) { return !(d > 0); }))
        return model::damaged("iforest", "a deviation is not above 0");
    AMOSKYS_TRY(forest, model::Forest::load(saved, columns));
    return std::make_unique<IsolationForest>(std::move(forest),
                                             Columns{std::move(median), std::move(deviation)});
}

}  // namespace amoskys::iforest
