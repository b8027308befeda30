// One or several models whose scores are made comparable and fused. Pure; thread-safe once made.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/module/model.h"
#include "modules/intelligence/score/tail.h"

namespace amoskys::score {

// How members are fused. mean: of their severities. The others are of the published scores c, as
// the earlier system had them: weighted sum(w c) / sum(w); bayesian P / (P + Q) with P = prod(c),
// Q = prod(1 - c); maximum.
enum class Fusion : std::uint8_t { mean, weighted, bayesian, maximum };
inline constexpr std::string_view fusion_names[] = {"mean", "weighted", "bayesian", "maximum"};
Result<Fusion> fusion_of(std::string_view name);

struct Fused {
    double severity = 0;
    double spread = 0;  // standard deviation of the members' severities
};
// As many weights as severities.
Fused fuse(Fusion fusion, std::span<const double> severities, std::span<const double> weights);

struct Member {
    std::string kind;
    std::unique_ptr<module::Model> model;
    std::size_t smoothing = 1;  // trailing mean over this many scores of a series
    Tail tail;
    double weight = 1;
};

// The severities of the rows of a table.
struct Severities {
    std::vector<Fused> fused;
    std::vector<double> of_members;  // row by row
};

// One feature's part in a score.
struct Reason {
    std::size_t column = 0;
    double value = 0, expected = 0;  // of the row where this feature was most unusual
    double share = 0;                // 0..1
};

class Ensemble {
  public:
    Fusion fusion = Fusion::mean;
    std::vector<Member> members;

    // Smoothed scores of one member for all rows, series by series.
    static std::vector<double> smoothed(const module::Model& model, std::size_t smoothing,
                                        const module::FeatureTable& table);
    Severities severities(const module::FeatureTable& table) const;
    // Why the last `count` rows are unusual together, at most `most` reasons, largest first: the
    // members' shares multiplied (geometric mean), so that what all of them name comes first. Each
    // member sees the rows before, too, where `rows` has them.
    std::vector<Reason> explain(std::span<const double> rows, std::size_t columns,
                                std::size_t count, std::size_t most) const;
    std::size_t history() const;    // rows before a row that its score looks at
    std::size_t smoothing() const;  // rows that a score is the mean of
};

}  // namespace amoskys::score
