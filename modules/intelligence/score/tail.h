// From a model's scores to how unusual they are: the part of the training scores that is as high,
// with a generalised Pareto tail above the highest of them. Pure; thread-safe once made.
//
//   severity = -log10 p            3 = one row in a thousand is as high
//   published score = 1 - p^0.233  0..1; the customary threshold 0.8 is p = 0.001
#pragma once

#include <span>
#include <vector>

#include "core/model/saved.h"

namespace amoskys::score {

inline constexpr double score_exponent = 0.233;

double published(double severity);
double severity_of(double published_score);

// Excesses above a level, as a generalised Pareto distribution fitted by its moments; the shape is
// kept within [0.05, 0.5], so that no score ever has probability 0.
struct Excesses {
    double count = 0, sum = 0, squares = 0;
    void add(double excess);
    double shape() const;
    double scale() const;
    // ln P(excess > x | above the level), 0 for x <= 0
    double log_tail(double x) const;
    // The excess that is passed with this probability (of those above the level).
    double quantile(double probability) const;
};

class Tail {
  public:
    static constexpr double level = 0.98;  // the Pareto tail begins at this quantile

    Tail() = default;
    explicit Tail(std::vector<double> scores);  // at least one

    double severity(double score) const;

    model::Saved save() const;
    static Result<Tail> load(const model::Saved& saved);

  private:
    std::vector<double> knots_;  // evenly spaced quantiles from 0 to `level`
    Excesses above_;
};

}  // namespace amoskys::score
