#include "modules/intelligence/kmeans/kmeans.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/model/forest.h"
#include "core/model/parameters.h"
#include "core/model/random.h"
#include "core/model/scale.h"

namespace amoskys::kmeans {
namespace {

constexpr std::size_t most_window = 1000, most_clusters = 1000;
constexpr std::size_t default_window = 20;
constexpr std::size_t most_sample = 5000;  // windows that the centres are found from
constexpr std::size_t most_sample_numbers = 20'000'000;
constexpr int most_rounds = 30;

float dot(const float* a, const float* b, std::size_t n) {
    float sums[8] = {};
    std::size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (std::size_t k = 0; k < 8; ++k)
            sums[k] += a[i + k] * b[i + k];
    float rest = 0;
    for (; i < n; ++i)
        rest += a[i] * b[i];
    for (const float sum : sums)
        rest += sum;
    return rest;
}

struct Nearest {
    std::size_t centre = 0;
    float square = std::numeric_limits<float>::max();
};

// Centres of `numbers` floats each.
Nearest nearest(std::span<const float> window, std::span<const float> centres,
                std::span<const float> squares) {
    Nearest out;
    const float own = dot(window.data(), window.data(), window.size());
    for (std::size_t k = 0; k < squares.size(); ++k) {
        const float square =
            own + squares[k] -
            2 * dot(window.data(), centres.data() + k * window.size(), window.size());
        if (square < out.square)
            out = {k, square};
    }
    out.square = std::max(out.square, 0.0F);
    return out;
}

std::vector<float> squares_of(std::span<const float> centres, std::size_t numbers) {
    std::vector<float> out;
    for (std::size_t at = 0; at < centres.size(); at += numbers)
        out.push_back(dot(centres.data() + at, centres.data() + at, numbers));
    return out;
}

class KMeans final : public module::Model {
  public:
    KMeans(std::vector<model::ColumnScale> scales, std::size_t window, std::vector<float> centres)
        : scales_(std::move(scales)),
          window_(window),
          centres_(std::move(centres)),
          squares_(squares_of(centres_, scales_.size() * window)) {}

    std::size_t history() const override { return window_ - 1; }
    void score(std::span<const double> rows, std::span<double> out) const override;
    void explain(std::span<const double> rows, std::span<double> parts,
                 std::span<double> expected) const override;
    model::Saved save() const override;

  private:
    std::vector<model::ColumnScale> scales_;
    std::size_t window_ = 1;
    std::vector<float> centres_, squares_;
};

// In parts of the training range: a missing value is the mean.
float ranged(const model::ColumnScale& scale, double value) {
    return std::isnan(value)
               ? 0
               : static_cast<float>(std::clamp((value - scale.mean) / scale.range, -1e6, 1e6));
}

// All rows, after `window - 1` copies of the first one.
std::vector<float> ranged_rows(std::span<const model::ColumnScale> scales,
                               std::span<const double> rows, std::size_t window) {
    const std::size_t width = scales.size();
    std::vector<float> out;
    out.reserve(rows.size() + (window - 1) * width);
    for (std::size_t i = 0; i + 1 < window; ++i)
        for (std::size_t c = 0; c < width; ++c)
            out.push_back(ranged(scales[c], rows[c]));
    for (std::size_t at = 0; at < rows.size(); at += width)
        for (std::size_t c = 0; c < width; ++c)
            out.push_back(ranged(scales[c], rows[at + c]));
    return out;
}

void KMeans::score(std::span<const double> rows, std::span<double> out) const {
    const std::size_t width = scales_.size(), first = rows.size() / width - out.size();
    const std::vector<float> all = ranged_rows(scales_, rows, window_);
    for (std::size_t i = 0; i < out.size(); ++i) {
        const auto window = std::span(all).subspan((first + i) * width, window_ * width);
        out[i] =
            std::log1p(std::sqrt(static_cast<double>(nearest(window, centres_, squares_).square)));
    }
}

void KMeans::explain(std::span<const double> rows, std::span<double> parts,
                     std::span<double> expected) const {
    const std::size_t width = scales_.size(), numbers = width * window_;
    const auto recent = rows.last(std::min(rows.size(), numbers));
    const std::vector<float> all = ranged_rows(scales_, recent, window_);
    const auto window = std::span(all).last(numbers);
    const float* const centre =
        centres_.data() + nearest(window, centres_, squares_).centre * numbers;
    for (std::size_t c = 0; c < width; ++c) {
        const std::size_t now = numbers - width + c;
        const auto off = static_cast<double>(window[now] - centre[now]);
        parts[c] = off * off;
        expected[c] = scales_[c].mean + static_cast<double>(centre[now]) * scales_[c].range;
    }
}

model::Saved KMeans::save() const {
    model::Saved out("kmeans");
    model::put_scales(out, scales_);
    out.put_whole("window", {static_cast<std::uint32_t>(window_)});
    out.put_floats("centres", centres_);
    return out;
}

// The windows that the centres are found from: views of `all`, drawn without replacement.
std::vector<std::span<const float>> draw(std::vector<std::span<const float>> windows,
                                         std::size_t most, model::Random& random) {
    for (std::size_t i = 0; i < std::min(most, windows.size()); ++i)
        std::swap(windows[i], windows[i + random.below(windows.size() - i)]);
    windows.resize(std::min(most, windows.size()));
    return windows;
}

// k-means++ (Arthur and Vassilvitskii 2007): each next centre with a probability that is its
// squared distance from the nearest one so far.
std::vector<float> seed_centres(const std::vector<std::span<const float>>& windows,
                                std::size_t clusters, model::Random& random) {
    const std::span<const float> start = windows[random.below(windows.size())];
    std::vector<float> centres(start.begin(), start.end());
    std::vector<double> distance(windows.size(), std::numeric_limits<double>::max());
    while (centres.size() < clusters * start.size()) {
        const std::span latest = std::span<const float>(centres).last(start.size());
        const std::vector<float> square = squares_of(latest, start.size());
        double total = 0;
        for (std::size_t i = 0; i < windows.size(); ++i) {
            distance[i] = std::min(distance[i],
                                   static_cast<double>(nearest(windows[i], latest, square).square));
            total += distance[i];
        }
        double left = random.uniform() * total;
        std::size_t chosen = 0;
        while (chosen + 1 < windows.size() && left >= distance[chosen])
            left -= distance[chosen++];
        centres.insert(centres.end(), windows[chosen].begin(), windows[chosen].end());
    }
    return centres;
}

std::vector<float> find_centres(const std::vector<std::span<const float>>& windows,
                                std::size_t clusters, model::Random& random) {
    const std::size_t numbers = windows[0].size();
    std::vector<float> centres = seed_centres(windows, clusters, random);
    std::vector<std::size_t> of(windows.size(), clusters);
    for (int round = 0; round < most_rounds; ++round) {
        const std::vector<float> squares = squares_of(centres, numbers);
        bool moved = false;
        std::vector<double> sums(centres.size(), 0);
        std::vector<double> sizes(clusters, 0);
        for (std::size_t i = 0; i < windows.size(); ++i) {
            const std::size_t centre = nearest(windows[i], centres, squares).centre;
            moved = moved || centre != of[i];
            of[i] = centre;
            ++sizes[centre];
            double* const sum = sums.data() + centre * numbers;
            for (std::size_t k = 0; k < numbers; ++k)
                sum[k] += static_cast<double>(windows[i][k]);
        }
        if (!moved)
            break;
        for (std::size_t i = 0; i < centres.size(); ++i)
            if (sizes[i / numbers] > 0)  // a centre without windows stays where it is
                centres[i] = static_cast<float>(sums[i] / sizes[i / numbers]);
    }
    return centres;
}

}  // namespace

Result<std::unique_ptr<module::Model>> train(const module::FeatureTable& table, std::uint64_t seed,
                                             const Json& parameters) {
    static constexpr model::Parameter known[] = {{"clusters", 10, 1, most_clusters},
                                                 {"window", 0, 0, most_window}};
    AMOSKYS_TRY(values, model::read_parameters("kmeans", known, parameters));
    const std::size_t width = table.columns.size();
    auto window = static_cast<std::size_t>(values[1]);
    if (window == 0)
        window = width == 1 ? model::single_column_window : default_window;
    AMOSKYS_TRY_VOID(
        model::check_table("kmeans", table.rows(), width, 2, most_sample_numbers / 20 / window));
    auto scales = model::column_scales(table.values, width);
    const std::size_t numbers = width * window;
    std::vector<std::vector<float>> rows;  // of each series, so that no window crosses two
    std::vector<std::span<const float>> windows;
    for (const auto& [first, last] : module::series_of(table))
        rows.push_back(ranged_rows(scales, table.rows_of(first, last), window));
    for (const std::vector<float>& series : rows)
        for (std::size_t at = 0; at + numbers <= series.size(); at += width)
            windows.push_back(std::span(series).subspan(at, numbers));
    model::Random random(seed);
    windows =
        draw(std::move(windows), std::min(most_sample, most_sample_numbers / numbers), random);
    const auto clusters = std::min(static_cast<std::size_t>(values[0]), windows.size());
    std::vector<float> centres = find_centres(windows, clusters, random);
    return std::make_unique<KMeans>(std::move(scales), window, std::move(centres));
}

Result<std::unique_ptr<module::Model>> load(const model::Saved& saved, std::size_t columns) {
    AMOSKYS_TRY_VOID(saved.check_format(1));
    AMOSKYS_TRY(scales, model::load_scales(saved, columns));
    AMOSKYS_TRY(window, saved.count("window", 1, most_window));
    AMOSKYS_TRY(centres, saved.floats("centres", model::any_size));
    const std::size_t numbers = columns * window;
    if (centres.empty() || centres.size() % numbers != 0 ||
        centres.size() / numbers > most_clusters)
        return model::damaged("kmeans", "the centres are not made of such windows");
    return std::make_unique<KMeans>(std::move(scales), window, std::move(centres));
}

}  // namespace amoskys::kmeans
