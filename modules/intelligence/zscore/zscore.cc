#include "modules/intelligence/zscore/zscore.h"

#include <algorithm>
#include <cmath>

#include "core/model/parameters.h"
#include "core/model/scale.h"

namespace amoskys::zscore {
namespace {

constexpr std::size_t most_window = 1000;
constexpr std::size_t statistics_each = 4;  // mean, deviation, smallest, largest

class ZScore final : public module::Model {
  public:
    ZScore(std::vector<model::ColumnScale> scales, std::size_t window, std::size_t over)
        : scales_(std::move(scales)), window_(window), over_(over) {}

    std::size_t history() const override { return window_ + std::max<std::size_t>(over_, 1) - 2; }
    void score(std::span<const double> rows, std::span<double> out) const override;
    void explain(std::span<const double> rows, std::span<double> parts,
                 std::span<double> expected) const override;
    model::Saved save() const override;

    // Learns how the statistics are spread; only where they are used.
    void learn_statistics(const module::FeatureTable& table);
    void set_spread(std::vector<model::ColumnScale> spread) { spread_ = std::move(spread); }

  private:
    void statistics(std::span<const double> rows, std::size_t row, std::span<double> out) const;
    // The squared distances of each column in a row, or in its statistics.
    void squares(std::span<const double> rows, std::size_t row, std::span<double> out) const;

    std::vector<model::ColumnScale> scales_;
    std::size_t window_ = 1;
    std::size_t over_ = 0;                    // rows that the statistics are of; 0 = the row itself
    std::vector<model::ColumnScale> spread_;  // of the statistics; per column statistics_each
};

void ZScore::statistics(std::span<const double> rows, std::size_t row,
                        std::span<double> out) const {
    const std::size_t width = scales_.size();
    std::vector<double> z(width * over_);
    model::scaled_window(scales_, rows, row, over_, z);
    for (std::size_t c = 0; c < width; ++c) {
        double sum = 0, squared = 0, low = z[c], high = z[c];
        for (std::size_t at = c; at < z.size(); at += width) {
            sum += z[at];
            squared += z[at] * z[at];
            low = std::min(low, z[at]);
            high = std::max(high, z[at]);
        }
        const auto n = static_cast<double>(over_);
        double* const each = out.data() + c * statistics_each;
        each[0] = sum / n;
        each[1] = std::sqrt(std::max(0.0, squared / n - each[0] * each[0]));
        each[2] = low;
        each[3] = high;
    }
}

void ZScore::learn_statistics(const module::FeatureTable& table) {
    const std::size_t numbers = scales_.size() * statistics_each;
    std::vector<double> all(table.rows() * numbers);
    for (const auto& [first, last] : module::series_of(table))
        for (std::size_t row = first; row < last; ++row)
            statistics(table.rows_of(first, last), row - first,
                       std::span(all).subspan(row * numbers, numbers));
    spread_ = model::column_scales(all, numbers);
}

void ZScore::squares(std::span<const double> rows, std::size_t row, std::span<double> out) const {
    if (row + 1 < over_ || over_ == 0) {  // of a part of a window the deviation would be too small
        model::scaled_window(scales_, rows, row, 1, out);
        for (double& each : out)
            each *= each;
        return;
    }
    std::vector<double> each(spread_.size());
    statistics(rows, row, each);
    std::fill(out.begin(), out.end(), 0);
    for (std::size_t i = 0; i < each.size(); ++i) {
        const double z = model::scaled(spread_[i], each[i]);
        out[i / statistics_each] += z * z;
    }
}

void ZScore::score(std::span<const double> rows, std::span<double> out) const {
    const std::size_t count = rows.size() / scales_.size(), first = count - out.size();
    std::vector<double> sums;  // of each row
    std::vector<double> z(scales_.size());
    for (std::size_t i = 0; i < count; ++i) {
        squares(rows, i, z);
        double sum = 0;
        for (const double each : z)
            sum += each;
        sums.push_back(sum);
    }
    for (std::size_t i = first; i < count; ++i) {
        double sum = 0;
        for (std::size_t back = 0; back < window_; ++back)
            sum += sums[i >= back ? i - back : 0];
        out[i - first] = std::log1p(std::sqrt(sum));
    }
}

void ZScore::explain(std::span<const double> rows, std::span<double> parts,
                     std::span<double> expected) const {
    squares(rows, rows.size() / scales_.size() - 1, parts);
    for (std::size_t c = 0; c < scales_.size(); ++c)
        expected[c] = scales_[c].mean;
}

model::Saved ZScore::save() const {
    model::Saved out("zscore");
    model::put_scales(out, scales_);
    out.put_whole("window", {static_cast<std::uint32_t>(window_)});
    out.put_whole("over", {static_cast<std::uint32_t>(over_)});
    if (over_ > 0) {
        model::put_scales(out, spread_, "statistics_");
    }
    return out;
}

}  // namespace

Result<std::unique_ptr<module::Model>> train(const module::FeatureTable& table, std::uint64_t,
                                             const Json& parameters) {
    static constexpr model::Parameter known[] = {
        {"window", 0, 0, most_window}, {"robust", 0, 0, 1}, {"statistics", 0, 0, most_window}};
    AMOSKYS_TRY(values, model::read_parameters("zscore", known, parameters));
    const std::size_t width = table.columns.size();
    AMOSKYS_TRY_VOID(model::check_table("zscore", table.rows(), width, 2, SIZE_MAX));
    auto window = static_cast<std::size_t>(values[0]);
    if (window == 0)
        window = width == 1 ? model::single_column_window : 1;
    const auto over = static_cast<std::size_t>(values[2]);
    auto out = std::make_unique<ZScore>(values[1] != 0 ? model::robust_scales(table.values, width)
                                                       : model::column_scales(table.values, width),
                                        window, over);
    if (over > 0)
        out->learn_statistics(table);
    return out;
}

Result<std::unique_ptr<module::Model>> load(const model::Saved& saved, std::size_t columns) {
    AMOSKYS_TRY_VOID(saved.check_format(1));
    AMOSKYS_TRY(scales, model::load_scales(saved, columns));
    AMOSKYS_TRY(window, saved.count("window", 1, most_window));
    AMOSKYS_TRY(over, saved.count("over", 0, most_window));
    auto out = std::make_unique<ZScore>(std::move(scales), window, over);
    if (over > 0) {
        AMOSKYS_TRY(spread, model::load_scales(saved, columns * statistics_each, "statistics_"));
        out->set_spread(std::move(spread));
    }
    return out;
}

}  // namespace amoskys::zscore
