#include "modules/intelligence/pforest/pforest.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/base/check.h"
#include "core/model/forest.h"
#include "core/model/parameters.h"
#include "core/model/random.h"
#include "core/model/scale.h"

namespace amoskys::pforest {
namespace {

constexpr std::size_t most_projections = 4096, most_columns_each = 64;

// One direction: `each` columns with a weight.
struct Bank {
    std::size_t each = 1;
    std::vector<std::uint32_t> columns;  // projections x each
    std::vector<float> weights;
    std::size_t size() const { return weights.size() / each; }
};

Bank draw_bank(std::size_t width, std::size_t projections, std::size_t each, std::uint64_t seed) {
    model::Random random(seed ^ 0x6f626c697175650aULL);  // not the numbers of the forest
    Bank out{std::min(each, width), {}, {}};
    std::vector<std::uint32_t> columns(width);
    for (std::size_t c = 0; c < width; ++c)
        columns[c] = static_cast<std::uint32_t>(c);
    for (std::size_t i = 0; i < projections; ++i)
        for (std::size_t k = 0; k < out.each; ++k) {
            std::swap(columns[k], columns[k + random.below(width - k)]);
            out.columns.push_back(columns[k]);
            // Normal by Box and Muller.
            const double radius = std::sqrt(-2 * std::log(1 - random.uniform()));
            out.weights.push_back(
                static_cast<float>(radius * std::cos(2 * std::numbers::pi * random.uniform())));
        }
    return out;
}

class ProjectedForest final : public module::Model {
  public:
    ProjectedForest(std::vector<model::ColumnScale> scales, Bank bank)
        : scales_(std::move(scales)), bank_(std::move(bank)) {
        for (const model::ColumnScale& scale : scales_)
            means_.push_back(scale.mean);
    }

    std::size_t history() const override { return 0; }
    void score(std::span<const double> rows, std::span<double> out) const override;
    void explain(std::span<const double> rows, std::span<double> parts,
                 std::span<double> expected) const override;
    model::Saved save() const override;

    void project(std::span<const double> row, std::span<float> out) const;
    void set_forest(model::Forest forest) { forest_ = std::move(forest); }

  private:
    std::vector<model::ColumnScale> scales_;
    std::vector<double> means_;
    Bank bank_;
    model::Forest forest_;
};

void ProjectedForest::project(std::span<const double> row, std::span<float> out) const {
    for (std::size_t i = 0, at = 0; i < out.size(); ++i) {
        double sum = 0;
        for (std::size_t k = 0; k < bank_.each; ++k, ++at) {
            const std::uint32_t c = bank_.columns[at];
            sum += static_cast<double>(bank_.weights[at]) *
                   std::clamp(model::scaled(scales_[c], row[c]), -1e9, 1e9);
        }
        out[i] = model::to_float(sum);
    }
}

void ProjectedForest::score(std::span<const double> rows, std::span<double> out) const {
    constexpr std::size_t at_once = 256;
    const std::size_t width = scales_.size(), size = bank_.size();
    check(rows.size() >= out.size() * width, "a row must have the model's columns");
    const auto last = rows.last(out.size() * width);
    std::vector<float> projected(std::min(out.size(), at_once) * size);
    for (std::size_t row = 0; row < out.size(); row += at_once) {
        const std::size_t count = std::min(at_once, out.size() - row);
        for (std::size_t i = 0; i < count; ++i)
            project(last.subspan((row + i) * width, width),
                    std::span(projected).subspan(i * size, size));
        forest_.score(std::span(projected).first(count * size), out.subspan(row, count));
    }
}

// A direction's part is handed to its columns by how much each brings to it.
void ProjectedForest::explain(std::span<const double> rows, std::span<double> parts,
                              std::span<double> expected) const {
    const auto row = rows.last(scales_.size());
    std::vector<float> projected(bank_.size());
    project(row, projected);
    const std::vector<double> early = forest_.early_uses(projected);
    std::fill(parts.begin(), parts.end(), 0);
    for (std::size_t at = 0; at < bank_.weights.size(); ++at) {
        const std::uint32_t c = bank_.columns[at];
        const double off = std::clamp(model::scaled(scales_[c], row[c]), -1e9, 1e9);
        const double part = early[at / bank_.each] * static_cast<double>(bank_.weights[at]) * off;
        parts[c] += part * part;
    }
    std::copy(means_.begin(), means_.end(), expected.begin());
}

model::Saved ProjectedForest::save() const {
    model::Saved out("pforest");
    model::put_scales(out, scales_);
    out.put_whole("each", {static_cast<std::uint32_t>(bank_.each)});
    out.put_whole("projected", bank_.columns);
    out.put_floats("weights", bank_.weights);
    forest_.save(out);
    return out;
}

}  // namespace

Result<std::unique_ptr<module::Model>> train(const module::FeatureTable& table, std::uint64_t seed,
                                             const Json& parameters) {
    static constexpr model::Parameter known[] = {{"trees", 100, 1, model::most_trees},
                                                 {"sample", 256, 2, model::most_samples},
                                                 {"projections", 256, 1, most_projections},
                                                 {"columns", 4, 1, most_columns_each}};
    AMOSKYS_TRY(values, model::read_parameters("pforest", known, parameters));
    const auto whole = [&values](std::size_t i) { return static_cast<std::size_t>(values[i]); };
    const std::size_t width = table.columns.size();
    AMOSKYS_TRY_VOID(model::check_table("pforest", table.rows(), width, 2, SIZE_MAX));
    auto out = std::make_unique<ProjectedForest>(model::column_scales(table.values, width),
                                                 draw_bank(width, whole(2), whole(3), seed));
    out->set_forest(model::Forest::build(
        table.rows(), whole(2), {.trees = whole(0), .sample = whole(1)}, seed,
        [&](std::size_t row, std::span<float> into) { out->project(table.row(row), into); }));
    return out;
}

Result<std::unique_ptr<module::Model>> load(const model::Saved& saved, std::size_t columns) {
    AMOSKYS_TRY_VOID(saved.check_format(1));
    AMOSKYS_TRY(scales, model::load_scales(saved, columns));
    AMOSKYS_TRY(each, saved.count("each", 1, most_columns_each));
    AMOSKYS_TRY(projected, saved.whole("projected", model::any_size));
    AMOSKYS_TRY(weights, saved.floats("weights", projected.size()));
    if (projected.empty() || projected.size() % each != 0 ||
        projected.size() / each > most_projections)
        return model::damaged("pforest", "the projections are not made of so many columns");
    if (std::any_of(projected.begin(), projected.end(),
                    [columns](std::uint32_t c) { return c >= columns; }))
        return model::damaged("pforest", "a projection has a column that does not exist");
    AMOSKYS_TRY(forest, model::Forest::load(saved, projected.size() / each));
    auto out = std::make_unique<ProjectedForest>(
        std::move(scales), Bank{each, std::move(projected), std::move(weights)});
    out->set_forest(std::move(forest));
    return out;
}

}  // namespace amoskys::pforest
