#include "modules/intelligence/zscore/zscore.h"

#include <algorithm>
#include <cmath>

#include "core/model/parameters.h"
#include "core/model/scale.h"

namespace amoskys::zscore {
namespace {

constexpr std::size_t most_window = 1000;

class ZScore final : public module::Model {
  public:
    ZScore(std::vector<model::ColumnScale> scales, std::size_t window)
        : scales_(std::move(scales)), window_(window) {
        for (const model::ColumnScale& scale : scales_)
            means_.push_back(scale.mean);
    }

    std::size_t history() const override { return window_ - 1; }
    void score(std::span<const double> rows, std::span<double> out) const override;
    void explain(std::span<const double> rows, std::span<double> parts,
                 std::span<double> expected) const override;
    model::Saved save() const override;

  private:
    std::vector<model::ColumnScale> scales_;
    std::vector<double> means_;
    std::size_t window_ = 1;
};

void ZScore::score(std::span<const double> rows, std::span<double> out) const {
    const std::size_t count = rows.size() / scales_.size(), first = count - out.size();
    std::vector<double> squares;  // of each row
    std::vector<double> z(scales_.size());
    for (std::size_t i = 0; i < count; ++i) {
        model::scaled_window(scales_, rows, i, 1, z);
        double sum = 0;
        for (const double each : z)
            sum += each * each;
        squares.push_back(sum);
    }
    for (std::size_t i = first; i < count; ++i) {
        double sum = 0;
        for (std::size_t back = 0; back < window_; ++back)
            sum += squares[i >= back ? i - back : 0];
        out[i - first] = std::log1p(std::sqrt(sum));
    }
}

void ZScore::explain(std::span<const double> rows, std::span<double> parts,
                     std::span<double> expected) const {
    std::vector<double> z(scales_.size());
    model::scaled_window(scales_, rows, rows.size() / scales_.size() - 1, 1, z);
    for (std::size_t c = 0; c < z.size(); ++c)
        parts[c] = z[c] * z[c];
    std::copy(means_.begin(), means_.end(), expected.begin());
}

model::Saved ZScore::save() const {
    model::Saved out("zscore");
    model::put_scales(out, scales_);
    out.put_whole("window", {static_cast<std::uint32_t>(window_)});
    return out;
}

}  // namespace

Result<std::unique_ptr<module::Model>> train(const module::FeatureTable& table, std::uint64_t,
                                             const Json& parameters) {
    static constexpr model::Parameter known[] = {{"window", 0, 0, most_window}};
    AMOSKYS_TRY(values, model::read_parameters("zscore", known, parameters));
    const std::size_t width = table.columns.size();
    AMOSKYS_TRY_VOID(model::check_table("zscore", table.rows(), width, 2, SIZE_MAX));
    auto window = static_cast<std::size_t>(values[0]);
    if (window == 0)
        window = width == 1 ? model::single_column_window : 1;
    return std::make_unique<ZScore>(model::column_scales(table.values, width), window);
}

Result<std::unique_ptr<module::Model>> load(const model::Saved& saved, std::size_t columns) {
    AMOSKYS_TRY_VOID(saved.check_format(1));
    AMOSKYS_TRY(scales, model::load_scales(saved, columns));
    AMOSKYS_TRY(window, saved.count("window", 1, most_window));
    return std::make_unique<ZScore>(std::move(scales), window);
}

}  // namespace amoskys::zscore
