#include "modules/intelligence/iforest/iforest.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "core/base/check.h"
#include "core/base/text.h"
#include "modules/intelligence/iforest/forest.h"

namespace amoskys::iforest {
namespace {

constexpr std::size_t most_trees = 10'000;
constexpr std::size_t most_samples = 1'000'000;

class IsolationForest final : public module::Model {
  public:
    IsolationForest(std::vector<std::string> columns, Forest forest)
        : columns_(std::move(columns)), forest_(std::move(forest)) {}

    std::span<const std::string> columns() const override { return columns_; }
    double score(std::span<const double> row) const override { return forest_score(forest_, row); }
    std::vector<module::Contribution> explain(std::span<const double> row,
                                              std::size_t most) const override;
    Json save() const override;

  private:
    std::vector<std::string> columns_;
    Forest forest_;
};

std::vector<module::Contribution> IsolationForest::explain(std::span<const double> row,
                                                           std::size_t most) const {
    const std::vector<double> shares = forest_shares(forest_, row);
    std::vector<module::Contribution> out;
    for (std::size_t f = 0; f < shares.size(); ++f)
        if (shares[f] > 0)
            out.push_back({f, forest_.ranges[f].median, shares[f]});
    const auto end = out.begin() + static_cast<std::ptrdiff_t>(std::min(most, out.size()));
    std::partial_sort(out.begin(), end, out.end(), [](const auto& a, const auto& b) {
        return a.share != b.share ? a.share > b.share : a.column < b.column;
    });
    out.erase(end, out.end());
    return out;
}

Json IsolationForest::save() const {
    Json median = Json::array(), deviation = Json::array(), trees = Json::array();
    for (const FeatureRange& range : forest_.ranges) {
        median.push_back(range.median);
        deviation.push_back(range.deviation);
    }
    for (const Tree& tree : forest_.trees) {
        Json feature = Json::array(), threshold = Json::array(), right = Json::array();
        for (const Node& node : tree) {
            feature.push_back(node.feature == leaf ? -1 : static_cast<std::int64_t>(node.feature));
            threshold.push_back(static_cast<double>(node.threshold));
            right.push_back(node.right);
        }
        trees.push_back({{"feature", std::move(feature)},
                         {"threshold", std::move(threshold)},
                         {"right", std::move(right)}});
    }
    return {{"format", 1},
            {"columns", columns_},
            {"sample", forest_.sample},
            {"median", std::move(median)},
            {"deviation", std::move(deviation)},
            {"trees", std::move(trees)}};
}

Error damaged(std::string what) {
    return make_error(ErrorKind::bad_data, "model_damaged", "iforest model: " + std::move(what),
                      "train it again: amoskys score train");
}

Result<std::size_t> whole_number(const Json& object, const char* key, std::size_t least,
                                 std::size_t most) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number_unsigned() ||
        found->get<std::uint64_t>() < least || found->get<std::uint64_t>() > most)
        return damaged(std::string(key) + " must be a whole number from " + std::to_string(least) +
                       " to " + std::to_string(most));
    return found->get<std::size_t>();
}

Result<std::vector<double>> numbers(const Json& object, const char* key, std::size_t size) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_array() || found->size() != size)
        return damaged(std::string(key) + " must be a list of " + std::to_string(size) +
                       " numbers");
    std::vector<double> out;
    for (const Json& item : *found) {
        if (!item.is_number() || !std::isfinite(item.get<double>()))
            return damaged(std::string(key) + " holds something that is no number");
        out.push_back(item.get<double>());
    }
    return out;
}

// Preorder with the left child next to its parent: following it, every node is reached once and
// each subtree is a run of nodes. `end` receives the position behind the subtree of `at`.
Result<> check_tree(const Tree& tree, std::size_t columns, std::size_t sample) {
    if (tree.empty())
        return damaged("a tree has no nodes");
    std::vector<std::size_t> open;  // right children that must start where a left subtree ends
    for (std::size_t at = 0; at < tree.size(); ++at) {
        const Node& node = tree[at];
        if (node.feature != leaf) {
            if (node.feature >= columns)
                return damaged("a tree splits on a column that does not exist");
            if (node.right <= at + 1 || node.right >= tree.size())
                return damaged("a tree's branch leads outside of it");
            open.push_back(node.right);
            continue;
        }
        if (node.right < 1 || node.right > sample)
            return damaged("a leaf has an impossible number of samples");
        if (at + 1 == tree.size() ? !open.empty() : open.empty() || open.back() != at + 1)
            return damaged("a tree's nodes are not in preorder");
        if (!open.empty())
            open.pop_back();
    }
    return tree.back().feature == leaf ? Result<>() : damaged("a tree ends in a branch");
}

Result<Tree> load_tree(const Json& saved, std::size_t columns, std::size_t sample) {
    const auto features = saved.find("feature");
    if (!saved.is_object() || features == saved.end() || !features->is_array())
        return damaged("a tree has no list of features");
    const std::size_t size = features->size();
    AMOSKYS_TRY(feature, numbers(saved, "feature", size));
    AMOSKYS_TRY(threshold, numbers(saved, "threshold", size));
    AMOSKYS_TRY(right, numbers(saved, "right", size));
    const auto index = [](double value) {
        return value == std::floor(value) && value >= 0 && value < leaf;
    };
    Tree tree;
    for (std::size_t i = 0; i < size; ++i) {
        if ((feature[i] != -1 && !index(feature[i])) || !index(right[i]) ||
            std::abs(threshold[i]) > static_cast<double>(std::numeric_limits<float>::max()))
            return damaged("a tree's node is out of range");
        tree.push_back({feature[i] == -1 ? leaf : static_cast<std::uint32_t>(feature[i]),
                        static_cast<float>(threshold[i]), static_cast<std::uint32_t>(right[i])});
    }
    AMOSKYS_TRY_VOID(check_tree(tree, columns, sample));
    return tree;
}

Result<std::vector<std::string>> load_columns(const Json& saved) {
    const auto found = saved.find("columns");
    if (found == saved.end() || !found->is_array() || found->empty())
        return damaged("columns must be a list of names");
    std::vector<std::string> columns;
    std::set<std::string> seen;
    for (const Json& name : *found) {
        if (!name.is_string() || !seen.insert(name.get<std::string>()).second)
            return damaged("columns must be a list of different names");
        columns.push_back(name.get<std::string>());
    }
    return columns;
}

Result<std::size_t> parameter(const std::string& key, const Json& value, std::size_t least,
                              std::size_t most) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() < least ||
        value.get<std::uint64_t>() > most)
        return make_error(ErrorKind::usage, "model_parameter",
                          "iforest: " + key + " must be a whole number from " +
                              std::to_string(least) + " to " + std::to_string(most) + ", not " +
                              json::dump(value));
    return value.get<std::size_t>();
}

Result<ForestParameters> read_parameters(const Json& parameters) {
    ForestParameters out;
    for (const auto& [key, value] : parameters.items()) {
        if (key == "trees") {
            AMOSKYS_TRY(trees, parameter(key, value, 1, most_trees));
            out.trees = trees;
        } else if (key == "sample") {
            AMOSKYS_TRY(sample, parameter(key, value, 2, most_samples));
            out.sample = sample;
        } else {
            return make_error(ErrorKind::usage, "model_parameter",
                              "iforest has no parameter '" + printable(key) + "'",
                              "trees and sample are known");
        }
    }
    return out;
}

}  // namespace

Result<std::unique_ptr<module::Model>> train(const module::FeatureTable& table, std::uint64_t seed,
                                             const Json& parameters) {
    AMOSKYS_TRY(wanted, read_parameters(parameters));
    if (table.columns.empty())
        return make_error(ErrorKind::bad_data, "training_no_columns",
                          "iforest: the table has no feature columns");
    if (table.rows() < 2)
        return make_error(
            ErrorKind::bad_data, "training_too_few_rows",
            "iforest: the table has " + std::to_string(table.rows()) + " rows; 2 are needed",
            "some hundred rows of normal operation make a useful model");
    return std::make_unique<IsolationForest>(table.columns, build_forest(table, wanted, seed));
}

Result<std::unique_ptr<module::Model>> load(const Json& saved) {
    if (!saved.is_object())
        return damaged("an object is needed");
    if (const auto format = saved.find("format"); format == saved.end() || *format != 1)
        return damaged("format " + (format == saved.end() ? "(none)" : json::dump(*format)) +
                       " is not known; this version reads format 1");
    AMOSKYS_TRY(columns, load_columns(saved));
    Forest forest;
    AMOSKYS_TRY(sample, whole_number(saved, "sample", 2, most_samples));
    forest.sample = sample;
    AMOSKYS_TRY(median, numbers(saved, "median", columns.size()));
    AMOSKYS_TRY(deviation, numbers(saved, "deviation", columns.size()));
    for (std::size_t i = 0; i < columns.size(); ++i)
        forest.ranges.push_back({median[i], deviation[i]});
    const auto trees = saved.find("trees");
    if (trees == saved.end() || !trees->is_array() || trees->empty() || trees->size() > most_trees)
        return damaged("trees must be a list of 1 to " + std::to_string(most_trees) + " trees");
    for (const Json& item : *trees) {
        AMOSKYS_TRY(tree, load_tree(item, columns.size(), sample));
        forest.trees.push_back(std::move(tree));
    }
    return std::make_unique<IsolationForest>(std::move(columns), std::move(forest));
}

}  // namespace amoskys::iforest
