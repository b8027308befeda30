#include "modules/intelligence/score/ensemble.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/text.h"

namespace amoskys::score {
namespace {

// Members disagree about what is unusual; what one of them does not name at all is not lost.
constexpr double least_share = 1e-4;

}  // namespace

Result<Fusion> fusion_of(std::string_view name) {
    for (std::size_t i = 0; i < std::size(fusion_names); ++i)
        if (fusion_names[i] == name)
            return static_cast<Fusion>(i);
    return make_error(ErrorKind::usage, "unknown_fusion",
                      "there is no fusion '" + printable(std::string(name)) + "'",
                      "one of: mean, weighted, bayesian, maximum");
}

Fused fuse(Fusion fusion, std::span<const double> severities, std::span<const double> weights) {
    const auto n = static_cast<double>(severities.size());
    double sum = 0, squares = 0, weighted = 0, weight = 0, least = 1, all = 1, none = 1;
    for (std::size_t i = 0; i < severities.size(); ++i) {
        const double rest = std::pow(10.0, -score_exponent * severities[i]);  // 1 - c
        sum += severities[i];
        squares += severities[i] * severities[i];
        weighted += weights[i] * rest;
        weight += weights[i];
        least = std::min(least, rest);
        all *= 1 - rest;
        none *= rest;
    }
    const double mean = sum / n;
    Fused out{mean, std::sqrt(std::max(0.0, squares / n - mean * mean))};
    if (fusion == Fusion::mean)
        return out;
    const double rest = fusion == Fusion::weighted   ? weighted / weight
                        : fusion == Fusion::bayesian ? none / (all + none)
                                                     : least;
    out.severity = -std::log10(std::max(rest, 1e-300)) / score_exponent;
    return out;
}

std::vector<double> Ensemble::smoothed(const module::Model& model, std::size_t smoothing,
                                       const module::FeatureTable& table) {
    std::vector<double> scores(table.rows()), out(table.rows());
    for (const auto& [first, last] : module::series_of(table)) {
        model.score(table.rows_of(first, last), std::span(scores).subspan(first, last - first));
        for (std::size_t i = first; i < last; ++i) {
            const std::size_t from = i + 1 > first + smoothing ? i + 1 - smoothing : first;
            double sum = 0;
            for (std::size_t j = from; j <= i; ++j)
                sum += scores[j];
            out[i] = sum / static_cast<double>(i + 1 - from);
        }
    }
    return out;
}

Severities Ensemble::severities(const module::FeatureTable& table) const {
    Severities out;
    out.of_members.resize(table.rows() * members.size());
    std::vector<double> weights;
    for (std::size_t m = 0; m < members.size(); ++m) {
        const Member& member = members[m];
        weights.push_back(member.weight);
        const auto scores = smoothed(*member.model, member.smoothing, table);
        for (std::size_t i = 0; i < scores.size(); ++i)
            out.of_members[i * members.size() + m] = member.tail.severity(scores[i]);
    }
    for (std::size_t i = 0; i < table.rows(); ++i)
        out.fused.push_back(
            fuse(fusion, std::span(out.of_members).subspan(i * members.size(), members.size()),
                 weights));
    return out;
}

std::size_t Ensemble::history() const {
    std::size_t most = 0;
    for (const Member& member : members)
        most = std::max(most, member.model->history());
    return most;
}

std::size_t Ensemble::smoothing() const {
    std::size_t most = 1;
    for (const Member& member : members)
        most = std::max(most, member.smoothing);
    return most;
}

std::vector<Reason> Ensemble::explain(std::span<const double> rows, std::size_t columns,
                                      std::size_t count, std::size_t most) const {
    std::vector<Reason> out(columns);
    std::vector<double> parts(columns), expected(columns), sums(columns), largest(columns);
    for (std::size_t c = 0; c < columns; ++c)
        out[c].column = c;
    for (const Member& member : members) {
        std::fill(sums.begin(), sums.end(), 0);
        std::fill(largest.begin(), largest.end(), -1);
        for (std::size_t back = count; back-- > 0;) {
            const auto until = rows.first(rows.size() - back * columns);
            member.model->explain(until, parts, expected);
            for (std::size_t c = 0; c < columns; ++c) {
                sums[c] += parts[c];
                if (parts[c] > largest[c]) {
                    largest[c] = parts[c];
                    out[c].value = until[until.size() - columns + c];
                    out[c].expected = expected[c];
                }
            }
        }
        const double total = std::accumulate(sums.begin(), sums.end(), 0.0);
        for (std::size_t c = 0; c < columns; ++c)
            out[c].share += std::log(std::max(total > 0 ? sums[c] / total : 0, least_share)) /
                            static_cast<double>(members.size());
    }
    double all = 0;
    for (Reason& reason : out) {
        reason.share = reason.share > std::log(1.001 * least_share) ? std::exp(reason.share) : 0;
        all += reason.share;
    }
    std::erase_if(out, [](const Reason& reason) { return !(reason.share > 0); });
    std::stable_sort(out.begin(), out.end(),
                     [](const Reason& a, const Reason& b) { return a.share > b.share; });
    out.resize(std::min(most, out.size()));
    for (Reason& reason : out)
        reason.share /= all;
    return out;
}

}  // namespace amoskys::score
