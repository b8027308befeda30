#include "modules/intelligence/iforest/forest.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/check.h"
#include "modules/intelligence/iforest/random.h"

namespace amoskys::iforest {
namespace {

float to_float(double value) {
    constexpr double most = std::numeric_limits<float>::max();
    return static_cast<float>(std::clamp(value, -most, most));
}

double quantile(std::span<const double> sorted, double q) {
    const double at = q * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (sorted[above] - sorted[below]) * (at - static_cast<double>(below));
}

FeatureRange range_of(const module::FeatureTable& table, std::size_t column,
                      std::vector<double>& present) {
    present.clear();
    for (std::size_t i = 0; i < table.rows(); ++i)
        if (const double value = table.row(i)[column]; !std::isnan(value))
            present.push_back(value);
    if (present.empty())
        return {};
    std::sort(present.begin(), present.end());
    FeatureRange range{quantile(present, 0.5),
                       (quantile(present, 0.84) - quantile(present, 0.16)) / 2};
    if (range.deviation > 0)
        return range;
    // A feature that hardly ever moves (errors, drops): how far it goes when it does.
    double squares = 0;
    for (const double value : present)
        squares += (value - range.median) * (value - range.median);
    range.deviation = std::sqrt(squares / static_cast<double>(present.size()));
    return range;
}

// The tree is built on a column-major float copy of its sample.
class TreeBuilder {
  public:
    TreeBuilder(const module::FeatureTable& table, const Forest& forest, Random& random)
        : table_(table), forest_(forest), random_(random), features_(table.columns.size()) {}

    Tree build(std::vector<std::size_t>& shuffled) {
        draw_sample(shuffled);
        depth_limit_ = 0;
        while ((std::size_t{1} << depth_limit_) < forest_.sample)
            ++depth_limit_;
        tree_.clear();
        grow(0, forest_.sample, 0);
        return tree_;
    }

  private:
    void draw_sample(std::vector<std::size_t>& shuffled) {
        const std::size_t n = forest_.sample;
        for (std::size_t i = 0; i < n; ++i)
            std::swap(shuffled[i], shuffled[i + random_.below(shuffled.size() - i)]);
        values_.resize(n * features_.size());
        for (std::size_t i = 0; i < n; ++i) {
            const auto row = table_.row(shuffled[i]);
            for (std::size_t f = 0; f < features_.size(); ++f)
                values_[f * n + i] =
                    to_float(std::isnan(row[f]) ? forest_.ranges[f].median : row[f]);
        }
        order_.resize(n);
        std::iota(order_.begin(), order_.end(), 0U);
    }

    float value(std::size_t feature, std::uint32_t i) const {
        return values_[feature * forest_.sample + i];
    }

    // Depth is at most 32, so recursion is bounded.
    void grow(std::size_t begin, std::size_t end, unsigned depth) {
        const std::size_t self = tree_.size();
        tree_.push_back({.right = static_cast<std::uint32_t>(end - begin)});
        std::size_t feature = 0;
        float low = 0, high = 0;
        if (depth >= depth_limit_ || end - begin < 2 ||
            !pick_feature(begin, end, feature, low, high))
            return;
        const double width = static_cast<double>(high) - static_cast<double>(low);
        auto threshold = to_float(static_cast<double>(low) + random_.uniform() * width);
        if (threshold >= high)  // rounding; both sides must get a sample
            threshold = low;
        const auto from = order_.begin() + static_cast<std::ptrdiff_t>(begin);
        const auto to = order_.begin() + static_cast<std::ptrdiff_t>(end);
        const auto middle = std::partition(
            from, to, [&](std::uint32_t i) { return value(feature, i) <= threshold; });
        const auto cut = static_cast<std::size_t>(middle - order_.begin());
        grow(begin, cut, depth + 1);
        tree_[self] = {static_cast<std::uint32_t>(feature), threshold,
                       static_cast<std::uint32_t>(tree_.size())};
        grow(cut, end, depth + 1);
    }

    // A random feature that is not constant in the node; false where all are.
    bool pick_feature(std::size_t begin, std::size_t end, std::size_t& feature, float& low,
                      float& high) {
        std::iota(features_.begin(), features_.end(), std::size_t{0});
        for (std::size_t left = features_.size(); left > 0; --left) {
            std::swap(features_[left - 1], features_[random_.below(left)]);
            feature = features_[left - 1];
            low = high = value(feature, order_[begin]);
            for (std::size_t i = begin + 1; i < end; ++i) {
                low = std::min(low, value(feature, order_[i]));
                high = std::max(high, value(feature, order_[i]));
            }
            if (low < high)
                return true;
        }
        return false;
    }

    const module::FeatureTable& table_;
    const Forest& forest_;
    Random& random_;
    std::vector<std::size_t> features_;
    std::vector<float> values_;
    std::vector<std::uint32_t> order_;
    unsigned depth_limit_ = 0;
    Tree tree_;
};

std::vector<float> as_floats(const Forest& forest, std::span<const double> row) {
    check(row.size() == forest.ranges.size(), "a row must have the model's columns");
    std::vector<float> out(row.size());
    for (std::size_t f = 0; f < row.size(); ++f)
        out[f] = to_float(std::isnan(row[f]) ? forest.ranges[f].median : row[f]);
    return out;
}

// How far a value lies from the typical one, in deviations; 0 for a missing value.
double distance(const FeatureRange& range, double value) {
    if (std::isnan(value))
        return 0;
    const double off = std::abs(value - range.median);
    return range.deviation > 0 ? std::min(off / range.deviation, 1e6) : 0;
}

}  // namespace

double average_path(std::size_t samples) {
    if (samples <= 1)
        return 0;
    if (samples == 2)
        return 1;
    const auto n = static_cast<double>(samples);
    return 2 * (std::log(n - 1) + 0.5772156649015329) - 2 * (n - 1) / n;
}

Forest build_forest(const module::FeatureTable& table, const ForestParameters& parameters,
                    std::uint64_t seed) {
    check(table.rows() >= 2, "a forest needs two rows");
    Forest forest;
    forest.sample = std::min(parameters.sample, table.rows());
    std::vector<double> present;
    for (std::size_t column = 0; column < table.columns.size(); ++column)
        forest.ranges.push_back(range_of(table, column, present));
    std::vector<std::size_t> rows(table.rows());
    std::iota(rows.begin(), rows.end(), std::size_t{0});
    Random random(seed);
    TreeBuilder builder(table, forest, random);
    for (std::size_t i = 0; i < parameters.trees; ++i)
        forest.trees.push_back(builder.build(rows));
    return forest;
}

double forest_score(const Forest& forest, std::span<const double> row) {
    const std::vector<float> x = as_floats(forest, row);
    double total = 0;
    for (const Tree& tree : forest.trees) {
        std::size_t at = 0;
        double depth = 0;
        while (tree[at].feature != leaf) {
            const Node& node = tree[at];
            at = x[node.feature] <= node.threshold ? at + 1 : node.right;
            ++depth;
        }
        total += depth + average_path(tree[at].right);
    }
    const double mean = total / static_cast<double>(forest.trees.size());
    return std::exp2(-mean / average_path(forest.sample));
}

std::vector<double> forest_shares(const Forest& forest, std::span<const double> row) {
    const std::vector<float> x = as_floats(forest, row);
    std::vector<double> gain(x.size(), 0), uses(x.size(), 0);
    std::vector<std::uint32_t> path;
    const double longest = std::max(1.0, std::ceil(std::log2(static_cast<double>(forest.sample))));
    for (const Tree& tree : forest.trees) {
        path.clear();
        std::size_t at = 0;
        while (tree[at].feature != leaf) {
            const Node& node = tree[at];
            path.push_back(node.feature);
            at = x[node.feature] <= node.threshold ? at + 1 : node.right;
        }
        if (path.empty())
            continue;
        const double early = 1 / static_cast<double>(path.size()) - 1 / longest;
        for (const std::uint32_t feature : path) {
            gain[feature] += early;
            ++uses[feature];
        }
    }
    double total = 0;
    for (std::size_t f = 0; f < gain.size(); ++f) {
        gain[f] = uses[f] > 0 ? gain[f] / uses[f] * distance(forest.ranges[f], row[f]) : 0;
        total += gain[f];
    }
    for (double& share : gain)
        share = total > 0 ? share / total : 0;
    return gain;
}

}  // namespace amoskys::iforest
