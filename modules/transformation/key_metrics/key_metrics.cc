#include "modules/transformation/key_metrics/key_metrics.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "core/module/statistics.h"

namespace amoskys::key_metrics {
namespace {

using module::FeatureRow;
using module::mean_of;

constexpr std::size_t fewest_common = 3;

double correlation_of(std::span<const double> a, std::span<const double> b) {
    if (a.size() < fewest_common)
        return FeatureRow::missing;
    const double mean_a = mean_of(a), mean_b = mean_of(b);
    double aa = 0, bb = 0, ab = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double x = a[i] - mean_a, y = b[i] - mean_b;
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    const auto varies = [](std::span<const double> values) {
        return std::any_of(values.begin(), values.end(),
                           [&](double value) { return value != values.front(); });
    };
    if (!varies(a) || !varies(b) || !(aa > 0) || !(bb > 0))
        return FeatureRow::missing;
    return ab / (std::sqrt(aa) * std::sqrt(bb));
}

class KeyMetrics final : public module::Extractor {
  public:
    KeyMetrics(module::ColumnTable& columns, const module::ExtractorSettings& settings)
        : columns_(columns),
          settings_(settings),
          pairs_(settings.key_metrics.size() * settings.key_metrics.size()),
          rolling_(settings.key_metrics.size()),
          over_(settings.thresholds.size()) {}

    void extract(const module::Window& window, FeatureRow& row) override {
        present_.assign(settings_.key_metrics.size(), nullptr);
        for (const module::Series& series : window.series) {
            const Roles& roles = roles_of(series);
            if (roles.key)
                present_[*roles.key] = &series;
            if (roles.threshold)
                flag(series, *roles.threshold, row);
        }
        for (std::size_t a = 0; a < present_.size(); ++a) {
            if (present_[a] == nullptr)
                continue;
            roll(*present_[a], a, row);
            for (std::size_t b = a + 1; b < present_.size(); ++b)
                if (present_[b] != nullptr)
                    pair(a, b, row);
        }
    }

  private:
    struct Roles {
        std::optional<std::size_t> key, threshold;  // places in the settings
    };
    struct Pair {
        module::ColumnId correlation = 0, ratio = 0;
    };

    const Roles& roles_of(const module::Series& series) {
        if (series.metric_id >= roles_.size())
            roles_.resize(series.metric_id + 1);
        std::optional<Roles>& known = roles_[series.metric_id];
        if (!known) {
            known.emplace();
            for (std::size_t i = 0; i < settings_.key_metrics.size(); ++i)
                if (settings_.key_metrics[i] == series.metric)
                    known->key = i;
            for (std::size_t i = 0; i < settings_.thresholds.size(); ++i)
                if (settings_.thresholds[i].first == series.metric)
                    known->threshold = i;
        }
        return *known;
    }

    module::ColumnId add(std::string name, std::string_view metric, std::string_view unit,
                         std::string formula) {
        return columns_.add({.name = std::move(name),
                             .metric = std::string(metric),
                             .unit = std::string(unit),
                             .stage = "key_metrics",
                             .formula = std::move(formula)});
    }

    void flag(const module::Series& series, std::size_t threshold, FeatureRow& row) {
        const double limit = settings_.thresholds[threshold].second;
        std::optional<module::ColumnId>& column = over_[threshold];
        if (!column) {
            std::string text = std::to_string(limit);
            text.erase(text.find_last_not_of('0') + 1);
            if (text.back() == '.')
                text.pop_back();
            column = add(std::string(series.metric) + "_over", series.metric, "1",
                         "1 where the largest sample is above " + text + ", else 0");
        }
        const double most = *std::max_element(series.values.begin(), series.values.end());
        row.set(*column, most > limit ? 1 : 0);
    }

    void pair(std::size_t a, std::size_t b, FeatureRow& row) {
        std::optional<Pair>& columns = pairs_[a * present_.size() + b];
        const std::string &first = settings_.key_metrics[a], &second = settings_.key_metrics[b];
        if (!columns)
            columns = Pair{
                add("corr_" + first + "_" + second, "", "1",
                    "Pearson correlation at common times; missing below 3 of them or where one "
                    "does not vary"),
                add("ratio_" + first + "_" + second, "",
                    std::string(present_[a]->unit) + " per " + std::string(present_[b]->unit),
                    "mean of the first over mean of the second; missing where that is 0")};
        row.set(columns->correlation, correlation(*present_[a], *present_[b]));
        const double below = mean_of(present_[b]->values);
        if (below != 0)
            row.set(columns->ratio, mean_of(present_[a]->values) / below);
    }

    void roll(const module::Series& series, std::size_t key, FeatureRow& row) {
        std::optional<module::ColumnId>& first = rolling_[key];
        if (!first)
            first = add_rolling(series);
        double* out = row.block(*first, rolling_lengths.size() * 3);
        for (const std::size_t length : rolling_lengths) {
            const Rolling rolled = rolling(series.recent, length);
            *out++ = rolled.mean;
            *out++ = rolled.std;
            *out++ = rolled.max;
        }
    }

    module::ColumnId add_rolling(const module::Series& series) {
        std::optional<module::ColumnId> first;
        for (const std::size_t length : rolling_lengths) {
            const std::string n = std::to_string(length);
            const auto column = [&](const std::string& name, const std::string& what) {
                return add(std::string(series.metric) + "_roll_" + name + "_" + n, series.metric,
                           series.unit, what + " of the last " + n + " samples, or what there is");
            };
            const module::ColumnId mean = column("mean", "mean");
            first = first.value_or(mean);
            column("std", "standard deviation (n-1)");
            column("max", "largest");
        }
        return *first;
    }

    module::ColumnTable& columns_;
    module::ExtractorSettings settings_;
    std::vector<std::optional<Roles>> roles_;  // by metric id
    std::vector<std::optional<Pair>> pairs_;   // by both places in key_metrics
    std::vector<std::optional<module::ColumnId>>
        rolling_;                                        // by place in key_metrics, the first one
    std::vector<std::optional<module::ColumnId>> over_;  // by place in thresholds
    std::vector<const module::Series*> present_;         // key metrics of the window
};

}  // namespace

double correlation(const module::Series& a, const module::Series& b) {
    if (std::equal(a.times.begin(), a.times.end(), b.times.begin(), b.times.end()))
        return correlation_of(a.values, b.values);
    std::vector<double> of_a, of_b;
    for (std::size_t i = 0, j = 0; i < a.times.size() && j < b.times.size();) {
        if (a.times[i] == b.times[j]) {
            of_a.push_back(a.values[i++]);
            of_b.push_back(b.values[j++]);
        } else {
            ++(a.times[i] < b.times[j] ? i : j);
        }
    }
    return correlation_of(of_a, of_b);
}

Rolling rolling(std::span<const double> recent, std::size_t n) {
    const std::span<const double> last = recent.last(std::min(n, recent.size()));
    Rolling out{mean_of(last), FeatureRow::missing, *std::max_element(last.begin(), last.end())};
    if (last.size() > 1) {
        double squares = 0;
        for (const double value : last)
            squares += (value - out.mean) * (value - out.mean);
        out.std = std::sqrt(squares / static_cast<double>(last.size() - 1));
    }
    return out;
}

std::unique_ptr<module::Extractor> make_extractor(module::ColumnTable& columns,
                                                  const module::ExtractorSettings& settings) {
    return std::make_unique<KeyMetrics>(columns, settings);
}

}  // namespace amoskys::key_metrics
