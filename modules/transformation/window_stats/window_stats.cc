#include "modules/transformation/window_stats/window_stats.h"

#include <optional>
#include <string>

#include "modules/transformation/window_stats/statistics.h"

namespace amoskys::window_stats {
namespace {

std::string unit_of(std::string_view form, std::string_view metric_unit) {
    constexpr std::string_view of_metric = "of the metric";
    if (!form.starts_with(of_metric))
        return std::string(form);
    const std::string_view rest = form.substr(of_metric.size());
    if (rest.empty())
        return std::string(metric_unit);
    return (metric_unit.empty() ? "1" : std::string(metric_unit)) +
           (rest == " per second" ? "/s" : "/s^2");
}

std::string column_name(std::string_view form, const std::string& metric) {
    return metric + std::string(form.substr(std::string_view("METRIC").size()));
}

class WindowStats final : public module::Extractor {
  public:
    explicit WindowStats(module::ColumnTable& columns) : columns_(columns) {}

    void extract(const module::Window& window, module::FeatureRow& row) override {
        const double window_s = static_cast<double>(window.end_ns - window.start_ns) * 1e-9;
        for (const module::Series& series : window.series)
            calculator_.calculate(series, window_s, row.block(first_column(series), feature_count));
    }

  private:
    // The columns of a metric stand side by side.
    module::ColumnId first_column(const module::Series& series) {
        if (series.metric_id >= first_.size())
            first_.resize(series.metric_id + 1);
        std::optional<module::ColumnId>& known = first_[series.metric_id];
        if (!known)
            known = add_columns(series);
        return *known;
    }

    module::ColumnId add_columns(const module::Series& series) {
        const std::string metric(series.metric);
        std::optional<module::ColumnId> first;
        for (const module::FeatureForm& form : catalogue) {
            const module::ColumnId id = columns_.add({.name = column_name(form.name, metric),
                                                      .metric = metric,
                                                      .unit = unit_of(form.unit, series.unit),
                                                      .stage = "window_stats",
                                                      .formula = std::string(form.formula)});
            first = first.value_or(id);
        }
        return *first;
    }

    module::ColumnTable& columns_;
    std::vector<std::optional<module::ColumnId>> first_;  // by metric id
    Calculator calculator_;
};

}  // namespace

std::unique_ptr<module::Extractor> make_extractor(module::ColumnTable& columns,
                                                  const module::ExtractorSettings& /*settings*/) {
    return std::make_unique<WindowStats>(columns);
}

}  // namespace amoskys::window_stats
