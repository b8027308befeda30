#include "modules/intelligence/score/evaluate.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "core/base/check.h"

namespace amoskys::score {
namespace {

double f1_of(double found, double flagged, double positives) {
    return 2 * found / (flagged + positives);
}

}  // namespace

Result<Evaluation> evaluate(std::span<const double> scores, const std::vector<bool>& labels,
                            double threshold) {
    check(scores.size() == labels.size(), "each score has a label");
    const auto positives = static_cast<double>(std::count(labels.begin(), labels.end(), true));
    const double negatives = static_cast<double>(labels.size()) - positives;
    if (positives == 0 || negatives == 0)
        return make_error(ErrorKind::bad_data, "eval_one_class",
                          "all " + std::to_string(labels.size()) +
                              " labels are the same; anomalies and normal rows are needed");
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
    Evaluation out;
    double found = 0, wrong = 0;
    for (std::size_t i = 0; i < order.size();) {
        const double score = scores[order[i]], found_before = found, wrong_before = wrong;
        for (; i < order.size() && scores[order[i]] == score; ++i)
            ++(labels[order[i]] ? found : wrong);
        out.roc_auc += (wrong - wrong_before) * (found + found_before) / 2;
        out.average_precision += (found - found_before) * found / (found + wrong);
        out.best_f1 = std::max(out.best_f1, f1_of(found, found + wrong, positives));
        if (score > threshold) {
            out.precision = found / (found + wrong);
            out.recall = found / positives;
            out.f1 = f1_of(found, found + wrong, positives);
        }
    }
    out.roc_auc /= positives * negatives;
    out.average_precision /= positives;
    return out;
}

double quantile(std::vector<double> values, double q) {
    std::sort(values.begin(), values.end());
    const double at = q * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (values[above] - values[below]) * (at - static_cast<double>(below));
}

}  // namespace amoskys::score
