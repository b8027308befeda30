#include "modules/intelligence/var/var.h"

#include <algorithm>
#include <cmath>

#include "core/model/matrix.h"
#include "core/model/parameters.h"
#include "core/model/scale.h"

namespace amoskys::var {
namespace {

constexpr std::size_t most_lags = 100;
constexpr std::size_t most_numbers = 2000;  // columns x lags
constexpr double least_ridge = 1e-10;       // of the largest sum of squares
constexpr double usual_part = 0.99;         // of the training residuals lie below their scale
constexpr double least_residual = 0.01;     // of that scale, in deviations of the column

// Rows ahead for which errors are measured in training; between them they are interpolated.
constexpr std::size_t horizons[] = {1, 2, 4, 8, 16, 32, 64};
constexpr std::size_t most_starts = 200;  // forecasts made for that
constexpr double within_margin = 0.9;
constexpr double normal_margin = 1.645;  // of deviations, where nothing could be measured

class Var final : public module::Model {
  public:
    Var(std::vector<model::ColumnScale> scales, std::size_t lags, std::vector<double> weights,
        std::vector<double> usual, std::vector<double> margins)
        : scales_(std::move(scales)),
          lags_(lags),
          weights_(std::move(weights)),
          usual_(std::move(usual)),
          margins_(std::move(margins)) {}

    std::size_t history() const override { return lags_; }
    void score(std::span<const double> rows, std::span<double> out) const override;
    void explain(std::span<const double> rows, std::span<double> parts,
                 std::span<double> expected) const override;
    model::Saved save() const override;

    // window = lags + 1 scaled rows; out = what the last one is more than predicted.
    void residual(std::span<const double> window, std::span<double> out) const;
    void set_usual(std::vector<double> usual) { usual_ = std::move(usual); }
    void set_margins(std::vector<double> margins) { margins_ = std::move(margins); }
    // The scaled rows after the last of `rows`, one behind the other.
    std::vector<double> ahead(std::span<const double> rows, std::size_t steps) const;
    module::Forecast forecast(std::span<const double> rows, std::size_t steps) const;

  private:
    std::vector<model::ColumnScale> scales_;
    std::size_t lags_ = 1;
    std::vector<double> weights_;  // (lags x columns) rows, oldest lag first, of `columns` numbers
    std::vector<double> usual_;    // the scale of each column's residual
    std::vector<double> margins_;  // horizons x columns, in deviations
};

void Var::residual(std::span<const double> window, std::span<double> out) const {
    const std::size_t width = scales_.size(), before = lags_ * width;
    std::copy(window.begin() + static_cast<std::ptrdiff_t>(before), window.end(), out.begin());
    for (std::size_t i = 0; i < before; ++i)
        if (window[i] != 0)
            for (std::size_t c = 0; c < width; ++c)
                out[c] -= window[i] * weights_[i * width + c];
}

std::vector<double> Var::ahead(std::span<const double> rows, std::size_t steps) const {
    const std::size_t width = scales_.size();
    std::vector<double> window((lags_ + 1) * width), left(width), out;
    model::scaled_window(scales_, rows, rows.size() / width - 1, lags_, window);
    for (std::size_t step = 0; step < steps; ++step) {
        // Against a row of zeros the residual is the prediction, with the other sign.
        std::fill(window.end() - static_cast<std::ptrdiff_t>(width), window.end(), 0);
        residual(window, left);
        for (std::size_t c = 0; c < width; ++c)
            window[lags_ * width + c] = std::clamp(-left[c], -1e6, 1e6);
        out.insert(out.end(), window.end() - static_cast<std::ptrdiff_t>(width), window.end());
        std::copy(window.begin() + static_cast<std::ptrdiff_t>(width), window.end(),
                  window.begin());
    }
    return out;
}

module::Forecast Var::forecast(std::span<const double> rows, std::size_t steps) const {
    const std::size_t width = scales_.size();
    module::Forecast out{ahead(rows, steps), {}};
    for (std::size_t i = 0; i < out.values.size(); ++i) {
        const std::size_t step = i / width + 1, c = i % width;
        std::size_t above = 0;
        while (above + 1 < std::size(horizons) && horizons[above] < step)
            ++above;
        const std::size_t below = above > 0 ? above - 1 : 0;
        const double wide = horizons[above] == horizons[below]
                                ? 0
                                : std::clamp(std::log2(static_cast<double>(step) /
                                                       static_cast<double>(horizons[below])),
                                             0.0, 1.0);
        const double margin = margins_[below * width + c] +
                              wide * (margins_[above * width + c] - margins_[below * width + c]);
        out.margins.push_back(margin * scales_[c].deviation);
        out.values[i] = scales_[c].mean + out.values[i] * scales_[c].deviation;
    }
    return out;
}

void Var::score(std::span<const double> rows, std::span<double> out) const {
    const std::size_t width = scales_.size(), count = rows.size() / width;
    const std::size_t first = count - out.size();
    std::vector<double> window((lags_ + 1) * width), left(width);
    for (std::size_t i = first; i < count; ++i) {
        model::scaled_window(scales_, rows, i, lags_ + 1, window);
        residual(window, left);
        double sum = 0;
        for (std::size_t c = 0; c < width; ++c)
            sum += left[c] * left[c] / (usual_[c] * usual_[c]);
        out[i - first] = std::log1p(sum / static_cast<double>(width));
    }
}

void Var::explain(std::span<const double> rows, std::span<double> parts,
                  std::span<double> expected) const {
    const std::size_t width = scales_.size();
    std::vector<double> window((lags_ + 1) * width), left(width);
    model::scaled_window(scales_, rows, rows.size() / width - 1, lags_ + 1, window);
    residual(window, left);
    for (std::size_t c = 0; c < width; ++c) {
        parts[c] = left[c] * left[c] / (usual_[c] * usual_[c]);
        expected[c] =
            scales_[c].mean + (window[lags_ * width + c] - left[c]) * scales_[c].deviation;
    }
}

model::Saved Var::save() const {
    model::Saved out("var");
    model::put_scales(out, scales_);
    out.put_whole("lags", {static_cast<std::uint32_t>(lags_)});
    out.put("weights", weights_);
    out.put("usual", usual_);
    out.put("margins", margins_);
    return out;
}

// Ridge regression of each row on the `lags` rows before it; no window crosses two series.
Result<std::vector<double>> fit(std::span<const model::ColumnScale> scales,
                                const module::FeatureTable& table,
                                const std::vector<std::pair<std::size_t, std::size_t>>& series,
                                std::size_t lags, double ridge) {
    const std::size_t width = scales.size(), before = lags * width, n = before + width;
    std::vector<double> window(n), products(n * n, 0);
    for (const auto& [first, last] : series)
        for (std::size_t row = first + lags; row < last; ++row) {
            model::scaled_window(scales, table.values, row, lags + 1, window);
            model::add_products(window, n, products);
        }
    std::vector<double> left(before * before), right(before * width);
    for (std::size_t i = 0; i < before; ++i) {
        for (std::size_t j = 0; j <= i; ++j)
            left[i * before + j] = products[i * n + j];
        left[i * before + i] += ridge;
        for (std::size_t c = 0; c < width; ++c)
            right[i * width + c] = products[(before + c) * n + i];
    }
    // Columns that say the same at a huge scale must not make the rest look like noise.
    double largest = 0;
    for (std::size_t i = 0; i < before; ++i)
        largest = std::max(largest, left[i * before + i]);
    for (std::size_t i = 0; i < before; ++i)
        left[i * before + i] += least_ridge * largest;
    if (!model::solve(std::move(left), before, right, width))
        return make_error(ErrorKind::bad_data, "training_degenerate",
                          "var: the columns are too alike to be told apart",
                          "a larger --parameter ridge helps");
    return right;
}

// How far forecasts made in training were off: a quantile per horizon and column, in deviations.
std::vector<double> measure_margins(const Var& model, std::span<const model::ColumnScale> scales,
                                    const module::FeatureTable& table,
                                    const std::vector<std::pair<std::size_t, std::size_t>>& series,
                                    std::size_t lags) {
    const std::size_t width = scales.size(), longest = std::end(horizons)[-1];
    std::vector<std::size_t> starts;  // the last row known
    for (const auto& [first, last] : series)
        for (std::size_t row = first + lags; row + longest < last; ++row)
            starts.push_back(row);
    std::vector<std::vector<double>> errors(std::size(horizons) * width);
    const std::size_t step = starts.size() / most_starts + 1;
    for (std::size_t i = 0; i < starts.size(); i += step) {
        const auto known = table.rows_of(starts[i] + 1 - lags, starts[i] + 1);
        const std::vector<double> ahead = model.ahead(known, longest);
        for (std::size_t h = 0; h < std::size(horizons); ++h)
            for (std::size_t c = 0; c < width; ++c) {
                const double value = table.row(starts[i] + horizons[h])[c];
                errors[h * width + c].push_back(std::abs(model::scaled(scales[c], value) -
                                                         ahead[(horizons[h] - 1) * width + c]));
            }
    }
    std::vector<double> out;
    for (std::vector<double>& each : errors) {
        if (each.empty())
            each.push_back(normal_margin);
        const auto at = each.begin() + static_cast<std::ptrdiff_t>(
                                           within_margin * static_cast<double>(each.size() - 1));
        std::nth_element(each.begin(), at, each.end());
        out.push_back(std::min(*at, 1e9));
    }
    return out;
}

}  // namespace

module::Forecast forecast(const module::Model& model, std::span<const double> rows,
                          std::size_t steps) {
    return static_cast<const Var&>(model).forecast(rows, steps);
}

Result<std::unique_ptr<module::Model>> train(const module::FeatureTable& table, std::uint64_t,
                                             const Json& parameters) {
    static constexpr model::Parameter known[] = {{"lags", 5, 1, most_lags},
                                                 {"ridge", 1, 1e-3, 1e9, false}};
    AMOSKYS_TRY(values, model::read_parameters("var", known, parameters));
    const auto lags = static_cast<std::size_t>(values[0]);
    const std::size_t width = table.columns.size();
    AMOSKYS_TRY_VOID(model::check_table("var", table.rows(), width, lags + 2, most_numbers / lags));
    const auto scales = model::column_scales(table.values, width);
    const auto series = module::series_of(table);
    AMOSKYS_TRY(weights, fit(scales, table, series, lags, values[1]));
    auto out = std::make_unique<Var>(scales, lags, std::move(weights),
                                     std::vector<double>(width, 1), std::vector<double>());
    std::vector<double> window((lags + 1) * width), left(width);
    std::vector<std::vector<float>> residuals(width);
    for (const auto& [first, last] : series)
        for (std::size_t row = first + lags; row < last; ++row) {
            model::scaled_window(scales, table.values, row, lags + 1, window);
            out->residual(window, left);
            for (std::size_t c = 0; c < width; ++c)
                residuals[c].push_back(static_cast<float>(std::abs(left[c])));
        }
    std::vector<double> usual;
    for (std::vector<float>& each : residuals) {
        if (each.empty())
            each.push_back(1);  // no series is long enough: one deviation
        const auto at = each.begin() + static_cast<std::ptrdiff_t>(
                                           usual_part * static_cast<double>(each.size() - 1));
        std::nth_element(each.begin(), at, each.end());
        usual.push_back(std::max(static_cast<double>(*at), least_residual));
    }
    out->set_usual(std::move(usual));
    out->set_margins(measure_margins(*out, scales, table, series, lags));
    return out;
}

Result<std::unique_ptr<module::Model>> load(const model::Saved& saved, std::size_t columns) {
    AMOSKYS_TRY_VOID(saved.check_format(1));
    AMOSKYS_TRY(scales, model::load_scales(saved, columns));
    AMOSKYS_TRY(lags, saved.count("lags", 1, most_lags));
    AMOSKYS_TRY(weights, saved.numbers("weights", lags * columns * columns));
    AMOSKYS_TRY(usual, saved.numbers("usual", columns));
    AMOSKYS_TRY(margins, saved.numbers("margins", std::size(horizons) * columns));
    for (const double each : usual)
        if (!(each > 0))
            return model::damaged("var", "a residual's scale is not above 0");
    return std::make_unique<Var>(std::move(scales), lags, std::move(weights), std::move(usual),
                                 std::move(margins));
}

}  // namespace amoskys::var
