#include "modules/intelligence/pca/pca.h"

#include <algorithm>
#include <cmath>

#include "core/model/matrix.h"
#include "core/model/parameters.h"
#include "core/model/scale.h"

namespace amoskys::pca {
namespace {

constexpr std::size_t most_window = 1000;
constexpr std::size_t most_numbers = 2000;  // columns x window: the covariance is 32 MB then
constexpr double least_deviation = 0.05;    // of a residual, in deviations of its column

class Pca final : public module::Model {
  public:
    Pca(std::vector<model::ColumnScale> scales, std::size_t window, std::vector<double> basis,
        std::vector<double> deviations)
        : scales_(std::move(scales)),
          window_(window),
          basis_(std::move(basis)),
          deviations_(std::move(deviations)) {
        for (const model::ColumnScale& scale : scales_)
            means_.push_back(scale.mean);
    }

    std::size_t history() const override { return window_ - 1; }
    void score(std::span<const double> rows, std::span<double> out) const override;
    void explain(std::span<const double> rows, std::span<double> parts,
                 std::span<double> expected) const override;
    model::Saved save() const override;

    // What the basis leaves of the window that ends at `row`.
    void residual(std::span<const double> rows, std::size_t row, std::span<double> out) const;
    std::size_t numbers() const { return scales_.size() * window_; }
    void set_deviations(std::vector<double> deviations) { deviations_ = std::move(deviations); }

  private:
    std::vector<model::ColumnScale> scales_;
    std::vector<double> means_;
    std::size_t window_ = 1;
    std::vector<double> basis_;       // components of length 1, one behind the other
    std::vector<double> deviations_;  // of the residuals in training, not below least_deviation
};

void Pca::residual(std::span<const double> rows, std::size_t row, std::span<double> out) const {
    model::scaled_window(scales_, rows, row, window_, out);
    const std::size_t n = out.size();
    for (std::size_t at = 0; at < basis_.size(); at += n) {
        double along = 0;
        for (std::size_t i = 0; i < n; ++i)
            along += basis_[at + i] * out[i];
        for (std::size_t i = 0; i < n; ++i)
            out[i] -= along * basis_[at + i];
    }
}

void Pca::score(std::span<const double> rows, std::span<double> out) const {
    const std::size_t count = rows.size() / scales_.size(), first = count - out.size();
    std::vector<double> left(numbers());
    for (std::size_t i = first; i < count; ++i) {
        residual(rows, i, left);
        double sum = 0;
        for (const double each : left)
            sum += each * each;
        out[i - first] = std::log1p(std::sqrt(sum));
    }
}

void Pca::explain(std::span<const double> rows, std::span<double> parts,
                  std::span<double> expected) const {
    std::vector<double> left(numbers());
    std::fill(parts.begin(), parts.end(), 0);
    residual(rows, rows.size() / scales_.size() - 1, left);
    for (std::size_t i = 0; i < left.size(); ++i) {
        const double part = left[i] / deviations_[i];
        parts[i % parts.size()] += part * part;
    }
    std::copy(means_.begin(), means_.end(), expected.begin());
}

model::Saved Pca::save() const {
    model::Saved out("pca");
    model::put_scales(out, scales_);
    out.put_whole("window", {static_cast<std::uint32_t>(window_)});
    out.put("basis", basis_);
    out.put("residual", deviations_);
    return out;
}

}  // namespace

Result<std::unique_ptr<module::Model>> train(const module::FeatureTable& table, std::uint64_t,
                                             const Json& parameters) {
    static constexpr model::Parameter known[] = {{"variance", 0.5, 0.01, 0.999, false},
                                                 {"window", 0, 0, most_window}};
    AMOSKYS_TRY(values, model::read_parameters("pca", known, parameters));
    const std::size_t width = table.columns.size();
    auto window = static_cast<std::size_t>(values[1]);
    if (window == 0)
        window = width == 1 ? model::single_column_window : 1;
    AMOSKYS_TRY_VOID(model::check_table("pca", table.rows(), width, 2, most_numbers / window));
    const auto scales = model::column_scales(table.values, width);
    const std::size_t n = width * window;
    std::vector<double> x(n), covariance(n * n, 0);
    for (std::size_t row = 0; row < table.rows(); ++row) {
        model::scaled_window(scales, table.values, row, window, x);
        model::add_products(x, n, covariance);
    }
    double total = 0, reached = 0;
    for (std::size_t i = 0; i < n; ++i)
        total += covariance[i * n + i];
    model::Eigen eigen = model::eigen(std::move(covariance), n);
    std::size_t components = 0;
    while (components < n && total > 0 && reached < values[0] * total)
        reached += eigen.values[components++];
    eigen.vectors.resize(components * n);
    auto out = std::make_unique<Pca>(scales, window, std::move(eigen.vectors),
                                     std::vector<double>(n, least_deviation));
    std::vector<double> squares(n, 0);
    for (std::size_t row = 0; row < table.rows(); ++row) {
        out->residual(table.values, row, x);
        for (std::size_t i = 0; i < n; ++i)
            squares[i] += x[i] * x[i];
    }
    for (double& each : squares)
        each = std::max(std::sqrt(each / static_cast<double>(table.rows())), least_deviation);
    out->set_deviations(std::move(squares));
    return out;
}

Result<std::unique_ptr<module::Model>> load(const model::Saved& saved, std::size_t columns) {
    AMOSKYS_TRY_VOID(saved.check_format(1));
    AMOSKYS_TRY(scales, model::load_scales(saved, columns));
    AMOSKYS_TRY(window, saved.count("window", 1, most_window));
    const std::size_t n = columns * window;
    AMOSKYS_TRY(basis, saved.numbers("basis", model::any_size));
    AMOSKYS_TRY(deviations, saved.numbers("residual", n));
    if (basis.size() % n != 0 || basis.size() / n > n)
        return model::damaged("pca", "the basis is not made of such rows");
    for (const double each : deviations)
        if (!(each > 0))
            return model::damaged("pca", "a residual's deviation is not above 0");
    return std::make_unique<Pca>(std::move(scales), window, std::move(basis),
                                 std::move(deviations));
}

}  // namespace amoskys::pca
