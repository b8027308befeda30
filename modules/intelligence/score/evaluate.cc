#include "modules/intelligence/score/evaluate.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "core/base/check.h"

namespace amoskys::score {
namespace {

double f1_of(double found, double flagged, double positives) {
    return 2 * found / (flagged + positives);
}

constexpr std::size_t vus_thresholds = 250;
using Stretches = std::vector<std::pair<std::size_t, std::size_t>>;

// The stretches widened by `half` rows on both sides; those that touch become one.
Stretches widened(const Stretches& of, std::size_t half, std::size_t rows) {
    Stretches out;
    for (const auto& [first, last] : of) {
        const std::size_t begin = first > half ? first - half : 0;
        const std::size_t end = std::min(last + half, rows);
        if (!out.empty() && begin < out.back().second + 1)
            out.back().second = end;
        else
            out.emplace_back(begin, end);
    }
    return out;
}

// Labels as weights: 1 in a stretch, falling to both sides of it.
void widen_labels(const Stretches& stretches, std::size_t width, std::vector<double>& weights) {
    std::fill(weights.begin(), weights.end(), 0);
    const auto add = [&weights](std::size_t row, double weight) {
        weights[row] = std::min(1.0, weights[row] + weight);
    };
    for (const auto& [first, last] : stretches) {
        std::fill(weights.begin() + static_cast<std::ptrdiff_t>(first),
                  weights.begin() + static_cast<std::ptrdiff_t>(last), 1.0);
        for (std::size_t step = 1; step <= width / 2; ++step) {
            const double weight =
                std::sqrt(1 - static_cast<double>(step) / static_cast<double>(width));
            if (first >= step)
                add(first - step, weight);
            if (last + step - 1 < weights.size())
                add(last + step - 1, weight);
        }
    }
}

// Area under the widened precision-recall curve. `rank` = the first threshold that a row passes.
double widened_area(const std::vector<bool>& labels, const Stretches& stretches, std::size_t width,
                    const Stretches& widest, const std::vector<std::size_t>& rank,
                    std::vector<double>& weights) {
    const std::size_t rows = labels.size();
    widen_labels(stretches, width, weights);
    std::vector<double> found(vus_thresholds + 1, 0), counted(vus_thresholds + 1, 0),
        touched(vus_thresholds + 1, 0), flagged(vus_thresholds + 1, 0);
    const Stretches wide = widened(stretches, width / 2, rows);
    std::vector<bool> in_wide(rows, false);
    for (const auto& [first, last] : wide) {
        std::size_t earliest = vus_thresholds;
        for (std::size_t i = first; i < last; ++i) {
            in_wide[i] = true;
            earliest = std::min(earliest, rank[i]);
        }
        ++touched[earliest];
    }
    double always = 0, positives = 0;
    for (std::size_t i = 0; i < rows; ++i) {
        ++flagged[rank[i]];
        positives += labels[i] ? 1 : 0;
    }
    for (const auto& [first, last] : widest)
        for (std::size_t i = first; i < last; ++i) {
            found[rank[i]] += weights[i];
            if (labels[i] || !in_wide[i])
                always += weights[i];
            else
                counted[rank[i]] += weights[i];
        }
    double area = 0, recall_before = 0;
    for (std::size_t k = 0; k < vus_thresholds; ++k) {
        if (k > 0) {
            found[k] += found[k - 1];
            counted[k] += counted[k - 1];
            touched[k] += touched[k - 1];
            flagged[k] += flagged[k - 1];
        }
        const double wanted = (positives + always + counted[k]) / 2;
        const double recall =
            std::min(found[k] / wanted, 1.0) * touched[k] / static_cast<double>(wide.size());
        area += (recall - recall_before) * found[k] / flagged[k];
        recall_before = recall;
    }
    return area;
}

}  // namespace

Result<Evaluation> evaluate(std::span<const double> scores, const std::vector<bool>& labels,
                            const std::vector<bool>& flagged) {
    check(scores.size() == labels.size() && flagged.size() == labels.size(),
          "each score has a label");
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
    }
    double hits = 0, flags = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        flags += flagged[i] ? 1 : 0;
        hits += flagged[i] && labels[i] ? 1 : 0;
    }
    out.precision = flags > 0 ? hits / flags : 0;
    out.recall = hits / positives;
    out.f1 = f1_of(hits, flags, positives);
    out.vus_pr = vus_pr(scores, labels);
    out.roc_auc /= positives * negatives;
    out.average_precision /= positives;
    return out;
}

std::vector<std::pair<std::size_t, std::size_t>> runs_of(const std::vector<bool>& flags) {
    Stretches out;
    for (std::size_t i = 0; i < flags.size(); ++i)
        if (flags[i]) {
            if (i == 0 || !flags[i - 1])
                out.emplace_back(i, i);
            out.back().second = i + 1;
        }
    return out;
}

double vus_pr(std::span<const double> scores, const std::vector<bool>& labels, std::size_t buffer) {
    check(scores.size() == labels.size() && !labels.empty(), "each score has a label");
    std::vector<double> sorted(scores.begin(), scores.end()), thresholds;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    for (std::size_t k = 0; k < vus_thresholds; ++k)
        thresholds.push_back(sorted[k * (sorted.size() - 1) / (vus_thresholds - 1)]);
    std::vector<std::size_t> rank;
    for (const double score : scores)
        rank.push_back(static_cast<std::size_t>(
            std::lower_bound(thresholds.begin(), thresholds.end(), score, std::greater<>()) -
            thresholds.begin()));
    const Stretches stretches = runs_of(labels);
    const Stretches widest = widened(stretches, buffer / 2, labels.size());
    std::vector<double> weights(labels.size());
    double volume = 0;
    for (std::size_t width = 0; width <= buffer; ++width)
        volume += widened_area(labels, stretches, width, widest, rank, weights);
    return volume / static_cast<double>(buffer + 1);
}

double quantile(std::vector<double> values, double q) {
    std::sort(values.begin(), values.end());
    const double at = q * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (values[above] - values[below]) * (at - static_cast<double>(below));
}

}  // namespace amoskys::score
