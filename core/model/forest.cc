#include "core/model/forest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/base/check.h"
#include "core/model/random.h"

namespace amoskys::model {
namespace {

constexpr std::size_t block_rows = 16;  // rows that walk a tree together
constexpr std::size_t block_trees = 8;  // trees that one row walks together

// The tree is built on a column-major copy of its sample.
class TreeBuilder {
  public:
    TreeBuilder(std::size_t rows, std::size_t columns, std::size_t sample, const ReadRow& read,
                Random& random)
        : sample_(sample),
          read_(read),
          random_(random),
          rows_(rows),
          features_(columns),
          row_(columns),
          values_(sample * columns),
          order_(sample) {
        std::iota(rows_.begin(), rows_.end(), 0U);
        std::iota(features_.begin(), features_.end(), 0U);
        while ((std::size_t{1} << depth_limit_) < sample)
            ++depth_limit_;
    }

    Tree build() {
        for (std::size_t i = 0; i < sample_; ++i) {
            std::swap(rows_[i], rows_[i + random_.below(rows_.size() - i)]);
            read_(rows_[i], row_);
            for (std::size_t f = 0; f < row_.size(); ++f)
                values_[f * sample_ + i] = row_[f];
        }
        std::iota(order_.begin(), order_.end(), 0U);
        tree_.clear();
        grow(0, sample_, 0);
        return tree_;
    }

  private:
    // Depth is at most 20, so recursion is bounded.
    void grow(std::size_t begin, std::size_t end, unsigned depth) {
        const std::size_t self = tree_.size();
        tree_.push_back({.right = static_cast<std::uint32_t>(end - begin)});
        std::uint32_t feature = 0;
        float low = 0, high = 0;
        if (depth >= depth_limit_ || end - begin < 2 ||
            !pick_feature(begin, end, feature, low, high))
            return;
        const double width = static_cast<double>(high) - static_cast<double>(low);
        auto threshold = to_float(static_cast<double>(low) + random_.uniform() * width);
        if (threshold >= high)  // rounding; both sides must get a sample
            threshold = low;
        const float* const x = values_.data() + feature * sample_;
        const auto from = order_.begin() + static_cast<std::ptrdiff_t>(begin);
        const auto to = order_.begin() + static_cast<std::ptrdiff_t>(end);
        const auto middle =
            std::partition(from, to, [&](std::uint32_t i) { return x[i] <= threshold; });
        const auto cut = static_cast<std::size_t>(middle - order_.begin());
        grow(begin, cut, depth + 1);
        tree_[self] = {feature, threshold, static_cast<std::uint32_t>(tree_.size())};
        grow(cut, end, depth + 1);
    }

    // A random feature that is not constant in the node; false where all are.
    bool pick_feature(std::size_t begin, std::size_t end, std::uint32_t& feature, float& low,
                      float& high) {
        for (std::size_t left = features_.size(); left > 0; --left) {
            std::swap(features_[left - 1], features_[random_.below(left)]);
            feature = features_[left - 1];
            const float* const x = values_.data() + feature * sample_;
            low = high = x[order_[begin]];
            for (std::size_t i = begin + 1; i < end; ++i) {
                low = std::min(low, x[order_[i]]);
                high = std::max(high, x[order_[i]]);
            }
            if (low < high)
                return true;
        }
        return false;
    }

    std::size_t sample_;
    const ReadRow& read_;
    Random& random_;
    std::vector<std::uint32_t> rows_, features_;
    std::vector<float> row_, values_;
    std::vector<std::uint32_t> order_;
    unsigned depth_limit_ = 0;
    Tree tree_;
};

// Preorder with the left child next to its parent: following it, every node is reached once and
// each subtree is a run of nodes.
Result<> check_tree(std::string_view kind, std::span<const Node> tree, std::size_t columns,
                    std::size_t sample) {
    if (tree.empty())
        return damaged(kind, "a tree has no nodes");
    std::vector<std::size_t> open;  // right children that must start where a left subtree ends
    for (std::size_t at = 0; at < tree.size(); ++at) {
        const Node& node = tree[at];
        if (node.feature != leaf) {
            if (node.feature >= columns)
                return damaged(kind, "a tree splits on a column that does not exist");
            if (node.right <= at + 1 || node.right >= tree.size())
                return damaged(kind, "a tree's branch leads outside of it");
            open.push_back(node.right);
            continue;
        }
        if (node.right < 1 || node.right > sample)
            return damaged(kind, "a leaf has an impossible number of samples");
        if (at + 1 == tree.size() ? !open.empty() : open.empty() || open.back() != at + 1)
            return damaged(kind, "a tree's nodes are not in preorder");
        if (!open.empty())
            open.pop_back();
    }
    return tree.back().feature == leaf ? Result<>() : damaged(kind, "a tree ends in a branch");
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

float to_float(double value) {
    constexpr double most = std::numeric_limits<float>::max();
    return static_cast<float>(std::clamp(value, -most, most));
}

Forest Forest::build(std::size_t rows, std::size_t columns, const ForestParameters& parameters,
                     std::uint64_t seed, const ReadRow& read) {
    check(rows >= 2 && columns >= 1, "a forest needs two rows");
    Forest forest;
    forest.columns_ = columns;
    forest.sample_ = std::min(parameters.sample, rows);
    Random random(seed);
    TreeBuilder builder(rows, columns, forest.sample_, read, random);
    for (std::size_t i = 0; i < parameters.trees; ++i)
        forest.trees_.push_back(builder.build());
    forest.make_walks();
    return forest;
}

void Forest::make_walks() {
    struct Waiting {
        std::uint32_t node, step;
        unsigned depth;
    };
    std::vector<Waiting> waiting;
    for (const Tree& tree : trees_) {
        Walk walk{steps_.size(), 0};
        steps_.resize(walk.begin + tree.size());
        lengths_.resize(steps_.size());
        waiting.assign(1, {0, 0, 0});
        std::uint32_t next = 1;  // the two children of a node lie beside each other
        for (std::size_t i = 0; i < waiting.size(); ++i) {
            const Waiting now = waiting[i];
            const Node& node = tree[now.node];
            Step& step = steps_[walk.begin + now.step];
            walk.depth = std::max(walk.depth, now.depth);
            if (node.feature == leaf) {
                step = {std::numeric_limits<float>::infinity(), 0, now.step};
                lengths_[walk.begin + now.step] = now.depth + average_path(node.right);
                continue;
            }
            step = {node.threshold, node.feature, next};
            waiting.push_back({now.node + 1, next, now.depth + 1});
            waiting.push_back({node.right, next + 1, now.depth + 1});
            next += 2;
        }
        walks_.push_back(walk);
    }
}

void Forest::add_block(const float* x, double* total) const {
    for (const Walk& walk : walks_) {
        const Step* const steps = steps_.data() + walk.begin;
        std::uint32_t at[block_rows] = {};
        for (unsigned depth = 0; depth < walk.depth; ++depth)
            for (std::size_t r = 0; r < block_rows; ++r) {
                const Step step = steps[at[r]];
                at[r] = step.left + (x[step.feature * block_rows + r] > step.threshold ? 1U : 0U);
            }
        const double* const lengths = lengths_.data() + walk.begin;
        for (std::size_t r = 0; r < block_rows; ++r)
            total[r] += lengths[at[r]];
    }
}

double Forest::one_total(const float* x) const {
    double total = 0;
    for (std::size_t first = 0; first < walks_.size(); first += block_trees) {
        const std::size_t count = std::min(block_trees, walks_.size() - first);
        std::size_t at[block_trees];
        unsigned depth = 0;
        for (std::size_t t = 0; t < count; ++t) {
            at[t] = 0;
            depth = std::max(depth, walks_[first + t].depth);
        }
        for (; depth > 0; --depth)
            for (std::size_t t = 0; t < count; ++t) {
                const Step step = steps_[walks_[first + t].begin + at[t]];
                at[t] = step.left + (x[step.feature] > step.threshold ? 1U : 0U);
            }
        for (std::size_t t = 0; t < count; ++t)
            total += lengths_[walks_[first + t].begin + at[t]];
    }
    return total;
}

void Forest::score(std::span<const float> rows, std::span<double> out) const {
    check(rows.size() == out.size() * columns_, "a row must have the model's columns");
    const double scale = -1 / (static_cast<double>(trees_.size()) * average_path(sample_));
    std::vector<float> block(block_rows * columns_);
    std::size_t row = 0;
    for (; row + block_rows / 4 <= out.size(); row += block_rows) {
        const std::size_t count = std::min(block_rows, out.size() - row);
        for (std::size_t r = 0; r < count; ++r)
            for (std::size_t c = 0; c < columns_; ++c)
                block[c * block_rows + r] = rows[(row + r) * columns_ + c];
        double total[block_rows] = {};
        add_block(block.data(), total);
        for (std::size_t r = 0; r < count; ++r)
            out[row + r] = std::exp2(total[r] * scale);
    }
    for (; row < out.size(); ++row)
        out[row] = std::exp2(one_total(rows.data() + row * columns_) * scale);
}

std::vector<double> Forest::early_uses(std::span<const float> row) const {
    std::vector<double> gain(columns_, 0), uses(columns_, 0);
    std::vector<std::uint32_t> path;
    const double longest = std::max(1.0, std::ceil(std::log2(static_cast<double>(sample_))));
    for (const Tree& tree : trees_) {
        path.clear();
        std::size_t at = 0;
        while (tree[at].feature != leaf) {
            const Node& node = tree[at];
            path.push_back(node.feature);
            at = row[node.feature] <= node.threshold ? at + 1 : node.right;
        }
        if (path.empty())
            continue;
        const double early = 1 / static_cast<double>(path.size()) - 1 / longest;
        for (const std::uint32_t feature : path) {
            gain[feature] += early;
            ++uses[feature];
        }
    }
    for (std::size_t f = 0; f < gain.size(); ++f)
        gain[f] = uses[f] > 0 ? std::max(0.0, gain[f] / uses[f]) : 0;
    return gain;
}

void Forest::save(Saved& out) const {
    std::vector<std::uint32_t> sizes, feature, right;
    std::vector<float> threshold;
    for (const Tree& tree : trees_) {
        sizes.push_back(static_cast<std::uint32_t>(tree.size()));
        for (const Node& node : tree) {
            feature.push_back(node.feature == leaf ? 0 : node.feature + 1);
            threshold.push_back(node.threshold);
            right.push_back(node.right);
        }
    }
    out.put_whole("sample", {static_cast<std::uint32_t>(sample_)});
    out.put_whole("tree_nodes", std::move(sizes));
    out.put_whole("feature", std::move(feature));
    out.put_floats("threshold", std::move(threshold));
    out.put_whole("right", std::move(right));
}

Result<Forest> Forest::load(const Saved& saved, std::size_t columns) {
    Forest forest;
    forest.columns_ = columns;
    AMOSKYS_TRY(sample, saved.count("sample", 2, most_samples));
    forest.sample_ = sample;
    AMOSKYS_TRY(sizes, saved.whole("tree_nodes", any_size));
    if (sizes.empty() || sizes.size() > most_trees)
        return damaged(saved.kind(), "there must be 1 to " + std::to_string(most_trees) + " trees");
    const auto nodes = std::accumulate(sizes.begin(), sizes.end(), std::size_t{0});
    AMOSKYS_TRY(feature, saved.whole("feature", nodes));
    AMOSKYS_TRY(threshold, saved.floats("threshold", nodes));
    AMOSKYS_TRY(right, saved.whole("right", nodes));
    std::size_t at = 0;
    for (const std::uint32_t size : sizes) {
        Tree& tree = forest.trees_.emplace_back();
        for (const std::size_t end = at + size; at < end; ++at)
            tree.push_back({feature[at] == 0 ? leaf : feature[at] - 1, threshold[at], right[at]});
        AMOSKYS_TRY_VOID(check_tree(saved.kind(), tree, columns, sample));
    }
    forest.make_walks();
    return forest;
}

}  // namespace amoskys::model
