#include "modules/intelligence/score/tail.h"

#include <algorithm>
#include <cmath>

namespace amoskys::score {
namespace {

constexpr std::size_t most_knots = 981;  // every 0.1 % of the scores
constexpr double least_shape = 0.05, most_shape = 0.5;

}  // namespace

double published(double severity) {
    return 1 - std::pow(10.0, -score_exponent * severity);
}

double severity_of(double published_score) {
    return -std::log10(1 - published_score) / score_exponent;
}

void Excesses::add(double excess) {
    ++count;
    sum += excess;
    squares += excess * excess;
}

double Excesses::shape() const {
    const double mean = count > 0 ? sum / count : 0;
    const double variance = count > 0 ? squares / count - mean * mean : 0;
    const double shape = variance > 0 ? (1 - mean * mean / variance) / 2 : least_shape;
    return std::clamp(shape, least_shape, most_shape);
}

double Excesses::scale() const {
    const double mean = count > 0 ? sum / count : 0;
    return std::max(mean * (1 - shape()), 1e-9);
}

double Excesses::log_tail(double x) const {
    return x > 0 ? -std::log1p(shape() * x / scale()) / shape() : 0;
}

double Excesses::quantile(double probability) const {
    return scale() / shape() * (std::pow(probability, -shape()) - 1);
}

Tail::Tail(std::vector<double> scores) {
    std::sort(scores.begin(), scores.end());
    const double last = level * static_cast<double>(scores.size() - 1);
    const std::size_t knots = std::min(most_knots, static_cast<std::size_t>(last) + 2);
    for (std::size_t i = 0; i < knots; ++i) {
        const double at = last * static_cast<double>(i) / static_cast<double>(knots - 1);
        const auto below = static_cast<std::size_t>(at);
        const std::size_t above = std::min(below + 1, scores.size() - 1);
        knots_.push_back(scores[below] +
                         (scores[above] - scores[below]) * (at - static_cast<double>(below)));
    }
    for (const double score : scores)
        if (score > knots_.back())
            above_.add(score - knots_.back());
}

double Tail::severity(double score) const {
    const double log_level = std::log(1 - level);
    if (score > knots_.back())
        return -(log_level + above_.log_tail(score - knots_.back())) / std::log(10.0);
    // The part of the training scores that is at least as high: equal scores are no surprise.
    const auto above = std::lower_bound(knots_.begin(), knots_.end(), score);
    if (above == knots_.begin())
        return 0;
    const double under = *(above - 1);
    const double place =
        static_cast<double>(above - knots_.begin()) - 1 + (score - under) / (*above - under);
    const double below = level * place / static_cast<double>(knots_.size() - 1);
    return -std::log10(1 - below);
}

model::Saved Tail::save() const {
    model::Saved out("tail");
    out.put("knots", knots_);
    out.put("above", {above_.count, above_.sum, above_.squares});
    return out;
}

Result<Tail> Tail::load(const model::Saved& saved) {
    AMOSKYS_TRY_VOID(saved.check_format(1));
    Tail out;
    AMOSKYS_TRY(knots, saved.numbers("knots", model::any_size));
    if (knots.size() < 2 || !std::is_sorted(knots.begin(), knots.end()))
        return model::damaged("tail", "its quantiles do not rise");
    AMOSKYS_TRY(above, saved.numbers("above", 3));
    if (above[0] < 0 || above[1] < 0 || above[2] < 0)
        return model::damaged("tail", "its excesses are below 0");
    out.knots_ = std::move(knots);
    out.above_ = {above[0], above[1], above[2]};
    return out;
}

}  // namespace amoskys::score
