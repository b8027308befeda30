#include "modules/transformation/etl/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "modules/transformation/etl/one_hot.h"

namespace amoskys::etl {
namespace {

constexpr std::size_t buckets = 2048;
constexpr std::size_t sorted_below = 256;
constexpr std::size_t ranks_wanted = 6;  // the ranks around three quartiles

// Least and most of values, at least one. Four at a time: a comparison waits for the one before it.
std::pair<double, double> ends_of(const std::vector<double>& values) {
    std::array<double, 4> low, high;
    low.fill(values.front());
    high = low;
    std::size_t i = 0;
    for (; i + 4 <= values.size(); i += 4)
        for (std::size_t lane = 0; lane < 4; ++lane) {
            low[lane] = values[i + lane] < low[lane] ? values[i + lane] : low[lane];
            high[lane] = values[i + lane] > high[lane] ? values[i + lane] : high[lane];
        }
    for (; i < values.size(); ++i) {
        low[0] = std::min(low[0], values[i]);
        high[0] = std::max(high[0], values[i]);
    }
    return {*std::min_element(low.begin(), low.end()), *std::max_element(high.begin(), high.end())};
}

// The values of some ranks, without sorting: counts by bucket tell in which bucket a rank lies, and
// only those buckets are looked into, all of them in one pass.
class Ranks {
  public:
    // The ranks rise.
    Ranks(std::vector<double>& values, const std::array<std::size_t, ranks_wanted>& ranks) {
        const auto [least, most] = ends_of(values);
        const double width = most - least;
        if (values.size() < sorted_below || !(width > 0) || !std::isfinite(width) ||
            !std::isfinite(buckets / width)) {
            std::sort(values.begin(), values.end());
            for (std::size_t i = 0; i < ranks_wanted; ++i)
                found_[i] = values[ranks[i]];
            return;
        }
        const double per_unit = (buckets - 1) / width;
        std::array<std::uint32_t, buckets> counts{};
        std::vector<std::uint16_t> bucket_of(values.size());
        for (std::size_t i = 0; i < values.size(); ++i) {
            bucket_of[i] = static_cast<std::uint16_t>((values[i] - least) * per_unit);
            ++counts[bucket_of[i]];
        }
        struct Place {
            std::size_t bucket = 0, before = 0;  // values in the buckets before it
        };
        std::array<Place, ranks_wanted> places;
        std::array<std::uint8_t, buckets> list_of{};  // 1 + place in `inside`; 0: not looked into
        std::vector<std::vector<double>> inside;
        Place at;
        for (std::size_t i = 0; i < ranks_wanted; ++i) {
            while (at.before + counts[at.bucket] <= ranks[i])
                at.before += counts[at.bucket++];
            places[i] = at;
            if (list_of[at.bucket] == 0) {
                inside.emplace_back().reserve(counts[at.bucket]);
                list_of[at.bucket] = static_cast<std::uint8_t>(inside.size());
            }
        }
        for (std::size_t i = 0; i < values.size(); ++i)
            if (const std::uint8_t list = list_of[bucket_of[i]])
                inside[list - 1U].push_back(values[i]);
        for (std::size_t i = 0; i < ranks_wanted; ++i) {
            auto& list = inside[list_of[places[i].bucket] - 1U];
            const auto place =
                list.begin() + static_cast<std::ptrdiff_t>(ranks[i] - places[i].before);
            std::nth_element(list.begin(), place, list.end());
            found_[i] = *place;
        }
    }

    double operator[](std::size_t i) const { return found_[i]; }

  private:
    std::array<double, ranks_wanted> found_{};
};

// Hours and days are no measurements: their scale is theirs.
bool is_moment(std::string_view name) {
    constexpr std::array<std::string_view, 4> moments = {"hour", "day_of_week", "is_weekend",
                                                         "is_business_hours"};
    return std::find(moments.begin(), moments.end(), name) != moments.end();
}

bool is_level(std::string_view suffix) {
    constexpr std::array<std::string_view, 6> levels = {"mean", "max", "median",
                                                        "min",  "q95", "q99"};
    return std::find(levels.begin(), levels.end(), suffix) != levels.end();
}

}  // namespace

Quartiles quartiles(std::vector<double>& values) {
    constexpr std::array<double, 3> shares = {0.25, 0.5, 0.75};
    const auto rank_of = [&](double share) {
        return share * static_cast<double>(values.size() - 1);
    };
    std::array<std::size_t, ranks_wanted> ranks{};
    for (std::size_t i = 0; i < shares.size(); ++i) {
        ranks[2 * i] = static_cast<std::size_t>(rank_of(shares[i]));
        ranks[2 * i + 1] = std::min(ranks[2 * i] + 1, values.size() - 1);
    }
    const Ranks found(values, ranks);
    std::array<double, 3> out{};
    for (std::size_t i = 0; i < shares.size(); ++i) {
        const double low = found[2 * i], high = found[2 * i + 1];
        out[i] = low + (high - low) * (rank_of(shares[i]) - static_cast<double>(ranks[2 * i]));
    }
    return {out[0], out[1], out[2]};
}

void ColumnScale::apply(std::span<double> values) const {
    if (!scaled)
        return;
    for (double& value : values) {
        if (log1p)
            value = std::log1p(value > 0 ? value : value - value);  // 0, or missing as it is
        value = (value - median) / iqr;
        value = value == value ? value : 0;
    }
}

bool takes_logarithm(const module::FeatureColumn& column,
                     std::span<const std::string> log_metrics) {
    if (column.name.size() <= column.metric.size() + 1 || column.stage != "window_stats" ||
        !is_level(std::string_view(column.name).substr(column.metric.size() + 1)))
        return false;
    return std::find(log_metrics.begin(), log_metrics.end(), column.metric) != log_metrics.end();
}

ColumnScale fit_scale(const module::FeatureColumn& column, std::span<const std::string> log_metrics,
                      std::vector<double>& training) {
    ColumnScale out;
    training.erase(std::remove_if(training.begin(), training.end(),
                                  [](double value) { return std::isnan(value); }),
                   training.end());
    out.count = training.size();
    out.log1p = takes_logarithm(column, log_metrics);
    out.scaled = !training.empty() && !is_moment(column.name) && column.stage != one_hot_stage;
    if (!out.scaled)
        return out;
    if (out.log1p)
        for (double& value : training)
            value = std::log1p(std::max(value, 0.0));
    const Quartiles found = quartiles(training);
    out.median = found.q50;
    const double iqr = found.q75 - found.q25;
    out.iqr = iqr > 0 && std::isfinite(iqr) ? iqr : 1;
    return out;
}

Json to_json(std::span<const module::FeatureColumn> columns, std::span<const ColumnScale> scales) {
    Json out = Json::object();
    for (std::size_t i = 0; i < columns.size() && i < scales.size(); ++i)
        if (scales[i].scaled)
            out[columns[i].name] = {{"log1p", scales[i].log1p},
                                    {"median", scales[i].median},
                                    {"iqr", scales[i].iqr},
                                    {"count", scales[i].count}};
    return out;
}

}  // namespace amoskys::etl
