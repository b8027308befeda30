#include "modules/transformation/etl/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace amoskys::etl {
namespace {

constexpr std::size_t buckets = 2048;
constexpr std::size_t sorted_below = 256;

// The values of some ranks, without sorting: counts by bucket tell in which bucket a rank lies, and
// only that bucket is looked into.
class Ranks {
  public:
    explicit Ranks(std::vector<double>& values) : values_(values) {
        const auto [least, most] = std::minmax_element(values.begin(), values.end());
        least_ = *least;
        const double width = *most - *least;
        if (values.size() < sorted_below || !(width > 0) || !std::isfinite(width) ||
            !std::isfinite(buckets / width)) {
            std::sort(values.begin(), values.end());
            return;
        }
        per_unit_ = (buckets - 1) / width;
        for (const double value : values)
            ++counts_[bucket_of(value)];
    }

    double at(std::size_t rank) {
        if (per_unit_ == 0)
            return values_[rank];
        std::size_t bucket = 0, before = 0;
        while (before + counts_[bucket] <= rank)
            before += counts_[bucket++];
        auto& found = inside(bucket);
        const auto place = found.begin() + static_cast<std::ptrdiff_t>(rank - before);
        std::nth_element(found.begin(), place, found.end());
        return *place;
    }

  private:
    std::size_t bucket_of(double value) const {
        return static_cast<std::size_t>((value - least_) * per_unit_);
    }

    // The values of a bucket; neighbouring ranks ask for the same one.
    std::vector<double>& inside(std::size_t bucket) {
        if (bucket == bucket_ && !inside_.empty())
            return inside_;
        bucket_ = bucket;
        inside_.resize(counts_[bucket] + 1);
        // Written always, kept where it belongs: which way it goes cannot be predicted.
        std::size_t kept = 0;
        for (const double value : values_) {
            inside_[kept] = value;
            kept += bucket_of(value) == bucket ? 1 : 0;
        }
        inside_.pop_back();
        return inside_;
    }

    std::vector<double>& values_;
    double least_ = 0, per_unit_ = 0;  // 0: values_ are sorted
    std::array<std::uint32_t, buckets> counts_{};
    std::size_t bucket_ = 0;
    std::vector<double> inside_;
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
    Ranks ranks(values);
    const auto quantile = [&](double share) {
        const double rank = share * static_cast<double>(values.size() - 1);
        const auto below = static_cast<std::size_t>(rank);
        const double low = ranks.at(below);
        const double high = below + 1 < values.size() ? ranks.at(below + 1) : low;
        return low + (high - low) * (rank - static_cast<double>(below));
    };
    const double q25 = quantile(0.25), q50 = quantile(0.5), q75 = quantile(0.75);
    return {q25, q50, q75};
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
    out.scaled = !training.empty() && !is_moment(column.name);
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
