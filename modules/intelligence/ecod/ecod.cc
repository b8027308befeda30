#include "modules/intelligence/ecod/ecod.h"

#include <algorithm>
#include <cmath>

#include "core/model/forest.h"
#include "core/model/parameters.h"
#include "core/model/scale.h"

namespace amoskys::ecod {
namespace {

constexpr std::size_t most_kept = 32'768;  // values of a column; of more an even choice

struct Column {
    std::vector<float> sorted;  // empty: the column had no values
    double median = 0;
    bool left_skewed = false;
};

struct Tails {
    double left = 0, right = 0;  // -ln P(value <= x), -ln P(value >= x)
};

Tails tails_of(const Column& column, double value) {
    if (std::isnan(value) || column.sorted.empty())
        return {};
    const float x = model::to_float(value);
    const auto n = static_cast<double>(column.sorted.size());
    const auto begin = column.sorted.begin(), end = column.sorted.end();
    // Beyond all training values a part of one value is left.
    const auto part = [n](std::ptrdiff_t count) {
        return -std::log(std::max(static_cast<double>(count), 0.5) / n);
    };
    return {part(std::upper_bound(begin, end, x) - begin),
            part(end - std::lower_bound(begin, end, x))};
}

class Ecod final : public module::Model {
  public:
    explicit Ecod(std::vector<Column> columns) : columns_(std::move(columns)) {}

    std::size_t history() const override { return 0; }
    void score(std::span<const double> rows, std::span<double> out) const override;
    void explain(std::span<const double> rows, std::span<double> parts,
                 std::span<double> expected) const override;
    model::Saved save() const override;

  private:
    std::vector<Column> columns_;
};

void Ecod::score(std::span<const double> rows, std::span<double> out) const {
    const std::size_t width = columns_.size();
    for (std::size_t i = 0; i < out.size(); ++i) {
        double left = 0, right = 0, skewed = 0;
        for (std::size_t c = 0; c < width; ++c) {
            const Tails tails = tails_of(columns_[c], rows[i * width + c]);
            left += tails.left;
            right += tails.right;
            skewed += columns_[c].left_skewed ? tails.left : tails.right;
        }
        out[i] = std::max({left, right, skewed});
    }
}

void Ecod::explain(std::span<const double> rows, std::span<double> parts,
                   std::span<double> expected) const {
    const auto row = rows.last(columns_.size());
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        const Tails tails = tails_of(columns_[c], row[c]);
        const double tail = std::max(tails.left, tails.right);
        parts[c] = tail * tail;
        expected[c] = columns_[c].median;
    }
}

model::Saved Ecod::save() const {
    model::Saved out("ecod");
    std::vector<std::uint32_t> sizes, skew;
    std::vector<float> values;
    for (const Column& column : columns_) {
        sizes.push_back(static_cast<std::uint32_t>(column.sorted.size()));
        skew.push_back(column.left_skewed ? 1 : 0);
        values.insert(values.end(), column.sorted.begin(), column.sorted.end());
    }
    out.put_whole("sizes", std::move(sizes));
    out.put_whole("left_skewed", std::move(skew));
    out.put_floats("values", std::move(values));
    return out;
}

void set_median(Column& column) {
    if (!column.sorted.empty())
        column.median = static_cast<double>(column.sorted[column.sorted.size() / 2]);
}

Column column_of(const module::FeatureTable& table, std::size_t index) {
    std::vector<float> all;
    double sum = 0;
    for (std::size_t row = 0; row < table.rows(); ++row)
        if (const double value = table.row(row)[index]; !std::isnan(value)) {
            all.push_back(model::to_float(value));
            sum += value / static_cast<double>(table.rows());
        }
    Column out;
    if (all.empty())
        return out;
    const double mean = sum * static_cast<double>(table.rows()) / static_cast<double>(all.size());
    double cubes = 0;  // its sign is that of the skewness
    for (const float value : all)
        cubes += std::pow((static_cast<double>(value) - mean), 3);
    out.left_skewed = cubes < 0;
    std::sort(all.begin(), all.end());
    const std::size_t kept = std::min(all.size(), most_kept);
    for (std::size_t i = 0; i < kept; ++i)
        out.sorted.push_back(all[kept == 1 ? 0 : i * (all.size() - 1) / (kept - 1)]);
    set_median(out);
    return out;
}

}  // namespace

Result<std::unique_ptr<module::Model>> train(const module::FeatureTable& table, std::uint64_t,
                                             const Json& parameters) {
    AMOSKYS_TRY(values, model::read_parameters("ecod", {}, parameters));
    const std::size_t width = table.columns.size();
    AMOSKYS_TRY_VOID(model::check_table("ecod", table.rows(), width, 2, SIZE_MAX));
    std::vector<Column> columns;
    for (std::size_t c = 0; c < width; ++c)
        columns.push_back(column_of(table, c));
    return std::make_unique<Ecod>(std::move(columns));
}

Result<std::unique_ptr<module::Model>> load(const model::Saved& saved, std::size_t columns) {
    AMOSKYS_TRY_VOID(saved.check_format(1));
    AMOSKYS_TRY(sizes, saved.whole("sizes", columns));
    AMOSKYS_TRY(skew, saved.whole("left_skewed", columns));
    AMOSKYS_TRY(values, saved.floats("values", model::any_size));
    std::vector<Column> out(columns);
    auto at = values.begin();
    for (std::size_t c = 0; c < columns; ++c) {
        if (static_cast<std::size_t>(values.end() - at) < sizes[c])
            return model::damaged("ecod", "values are missing");
        const auto end = at + static_cast<std::ptrdiff_t>(sizes[c]);
        if (!std::is_sorted(at, end))
            return model::damaged("ecod", "a column's values do not rise");
        out[c].sorted.assign(at, end);
        out[c].left_skewed = skew[c] != 0;
        set_median(out[c]);
        at = end;
    }
    return std::make_unique<Ecod>(std::move(out));
}

}  // namespace amoskys::ecod
