// How well scores find labelled anomalies. Pure functions. Never point-adjusted.
#pragma once

#include <span>
#include <vector>

#include "core/base/result.h"

namespace amoskys::score {

struct Evaluation {
    double roc_auc = 0;            // ties count half
    double average_precision = 0;  // sum of (recall step) x precision, equal scores at once
    double best_f1 = 0;            // over all thresholds: what a perfect choice would reach
    double precision = 0, recall = 0, f1 = 0;  // of score > threshold
};

// bad_data where the labels are all the same: nothing can be measured then.
Result<Evaluation> evaluate(std::span<const double> scores, const std::vector<bool>& labels,
                            double threshold);

// Linear between the order statistics, as numpy does; values is not empty.
double quantile(std::vector<double> values, double q);

}  // namespace amoskys::score
