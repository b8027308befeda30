// Isolation Forest (Liu, Ting, Zhou: "Isolation Forest", ICDM 2008), with the choices of
// scikit-learn: sample without replacement, depth limit ceil(log2(sample)), a split drawn uniformly
// between the smallest and largest value of a random feature that is not constant in the node,
// float32 inputs, left where x <= threshold, a leaf of n samples counts as c(n) further steps.
//
//   score(x) = 2^(-E[path length] / c(sample)),  0..1, larger = more unusual
//   c(n) = 2 (ln(n-1) + 0.5772156649) - 2 (n-1)/n,  c(2) = 1,  c(1) = 0
//
// Pure data and functions; the same table, seed and parameters give the same forest everywhere.
// Thread-safe once built. Used by the kinds iforest and pforest.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/model/saved.h"

namespace amoskys::model {

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

double average_path(std::size_t samples);  // c(n)

float to_float(double value);  // cut to the range of float

// Writes row i as floats without missing values.
using ReadRow = std::function<void(std::size_t row, std::span<float> out)>;

class Forest {
  public:
    // `rows` is at least two. Reads only the rows that are drawn.
    static Forest build(std::size_t rows, std::size_t columns, const ForestParameters& parameters,
                        std::uint64_t seed, const ReadRow& read);

    // out = the scores of out.size() rows of `columns` numbers, none of them NaN.
    void score(std::span<const float> rows, std::span<double> out) const;

    // Local DIFFI of one row: per feature the mean over its uses on the row's paths of
    // 1 / path length - 1 / depth limit. Features that isolate the row early have most.
    std::vector<double> early_uses(std::span<const float> row) const;

    std::size_t columns() const { return columns_; }
    std::size_t sample() const { return sample_; }  // per tree, after the cut to the table's rows
    const std::vector<Tree>& trees() const { return trees_; }

    void save(Saved& out) const;
    // Everything that walking a tree relies on is checked.
    static Result<Forest> load(const Saved& saved, std::size_t columns);

  private:
    // A node as it is walked: next = left + (x > threshold), in the steps of its tree. A leaf leads
    // to itself, so that a tree may be walked its depth long by all rows together.
    struct Step {
        float threshold = 0;
        std::uint32_t feature = 0;
        std::uint32_t left = 0;
    };
    struct Walk {
        std::size_t begin = 0;  // in steps_
        unsigned depth = 0;
    };

    void make_walks();
    void add_block(const float* x, double* total) const;  // block_rows rows, column by column
    double one_total(const float* x) const;

    std::size_t columns_ = 0;
    std::size_t sample_ = 0;
    std::vector<Tree> trees_;
    std::vector<Step> steps_;
    std::vector<double> lengths_;  // of the leaf at a step: depth + c(samples)
    std::vector<Walk> walks_;
};

inline constexpr std::size_t most_trees = 10'000;
inline constexpr std::size_t most_samples = 1'000'000;

}  // namespace amoskys::model
