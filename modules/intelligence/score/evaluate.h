// How well scores find labelled anomalies. Pure functions. Never point-adjusted.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace amoskys::score {

struct Evaluation {
    double roc_auc = 0;            // ties count half
    double average_precision = 0;  // sum of (recall step) x precision, equal scores at once
    double best_f1 = 0;            // over all thresholds: what a perfect choice would reach
    double vus_pr = 0;
    double precision = 0, recall = 0, f1 = 0;  // of the rows that were flagged
};

// bad_data where the labels are all the same: nothing can be measured then.
Result<Evaluation> evaluate(std::span<const double> scores, const std::vector<bool>& labels,
                            const std::vector<bool>& flagged);

// Volume under the precision-recall surface (Paparrizos et al., VLDB 2022, as TSB-AD computes it:
// 250 thresholds): the mean over w = 0..buffer of the area under the curve of precision and recall
// where each labelled stretch is widened by w / 2 rows with falling weight. Labels of both kinds.
double vus_pr(std::span<const double> scores, const std::vector<bool>& labels,
              std::size_t buffer = 100);

// [first, last) of each run of true.
std::vector<std::pair<std::size_t, std::size_t>> runs_of(const std::vector<bool>& flags);

// Linear between the order statistics, as numpy does; values is not empty.
double quantile(std::vector<double> values, double q);

}  // namespace amoskys::score
