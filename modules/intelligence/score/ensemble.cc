#include "modules/intelligence/score/ensemble.h"

#include <algorithm>
#include <cmath>

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
        const double rest = 1 - published(severities[i]);  // p^0.233
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
    out.severity = severity_of(1 - rest);
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

std::vector<module::Contribution> Ensemble::explain(std::span<const double> rows,
                                                    std::size_t columns, std::size_t most) const {
    if (members.size() == 1)
        return members[0].model->explain(rows, most);
    std::vector<double> logs(columns, 0), expected(columns, 0);
    const double part = 1 / static_cast<double>(members.size());
    std::vector<double> shares(columns);
    for (const Member& member : members) {
        std::fill(shares.begin(), shares.end(), 0);
        for (const module::Contribution& why : member.model->explain(rows, columns)) {
            shares[why.column] = why.share;
            expected[why.column] = why.expected;
        }
        for (std::size_t c = 0; c < columns; ++c)
            logs[c] += part * std::log(std::max(shares[c], least_share));
    }
    for (double& each : logs)
        each = std::exp(each);
    return module::largest_shares(logs, expected, most);
}

}  // namespace amoskys::score
