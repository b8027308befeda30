// Isolation Forest (Liu, Ting, Zhou: "Isolation Forest", ICDM 2008), with the choices of
// scikit-learn: sample without replacement, depth limit ceil(log2(sample)), a split drawn uniformly
// between the smallest and largest value of a random feature that is not constant in the node,
// float32 inputs, left where x <= threshold, a leaf of n samples counts as c(n) further steps.
//
//   score(x) = 2^(-E[path length] / c(sample)),  0..1, larger = more unusual
//   c(n) = 2 (ln(n-1) + 0.5772156649) - 2 (n-1)/n,  c(2) = 1,  c(1) = 0
//
// Pure data and functions; the same table, seed and parameters give the same forest everywhere.
// Thread-safe once built.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/module/model.h"

namespace amoskys::iforest {

inline constexpr std::uint32_t leaf = UINT32_MAX;

// Preorder: the left child of node i is i + 1.
struct Node {
    std::uint32_t feature = leaf;
    float threshold = 0;
    std::uint32_t right = 0;  // index in the tree; of a leaf: its samples
};
using Tree = std::vector<Node>;

struct ForestParameters {
    std::size_t trees = 100;
    std::size_t sample = 256;
};

// What is remembered of a feature's training values.
struct FeatureRange {
    double median = 0;  // stands in for a missing value
    // Half of the range that holds the middle 68 %; where that is 0 the root mean square distance
    // from the median; 0 where constant.
    double deviation = 0;
};

struct Forest {
    std::size_t sample = 256;  // per tree, after the cut to the table's rows
    std::vector<FeatureRange> ranges;
    std::vector<Tree> trees;
};

double average_path(std::size_t samples);  // c(n)

// `table` has at least two rows and one column; a missing value is taken as the median of its
// column, a column without any value as constant.
Forest build_forest(const module::FeatureTable& table, const ForestParameters& parameters,
                    std::uint64_t seed);

// Both take a row as long as `ranges`; NaN = missing.
double forest_score(const Forest& forest, std::span<const double> row);

// Per feature, a part of the score that adds up to 1 over all features (all 0 where nothing
// isolates the row). README.md says how it is found and what it is worth.
std::vector<double> forest_shares(const Forest& forest, std::span<const double> row);

}  // namespace amoskys::iforest
