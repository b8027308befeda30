#include "modules/intelligence/score/report.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "core/base/number_text.h"
#include "core/base/text.h"

namespace amoskys::score {
namespace {

constexpr Column score_columns[] = {
    {.name = "device"},
    {.name = "window_start"},
    {.name = "window_end", .in_table = false},
    {.name = "score", .right = true},
    {.name = "low", .in_table = false},
    {.name = "high", .in_table = false},
    {.name = "severity", .in_table = false},
    {.name = "threshold", .right = true},
    {.name = "anomaly"},
    {.name = "model", .in_table = false},
    {.name = "why"},
    {.name = "features", .in_table = false},
};

constexpr Column model_columns[] = {
    {.name = "name"},
    {.name = "kind"},
    {.name = "trained"},
    {.name = "rows", .right = true},
    {.name = "columns", .right = true},
    {.name = "threshold", .right = true},
    {.name = "quantile", .in_table = false},
    {.name = "rule"},
    {.name = "version", .right = true},
    {.name = "versions", .in_table = false},
    {.name = "source"},
    {.name = "file", .in_table = false},
};

constexpr Column forecast_columns[] = {
    {.name = "device"},
    {.name = "window_end", .in_table = false},
    {.name = "ahead", .right = true},
    {.name = "feature"},
    {.name = "value", .right = true},
    {.name = "low", .right = true},
    {.name = "high", .right = true},
};

std::string short_number(double value) {
    std::string out;
    append_number(out, value, 4);
    return out;
}

// Text of a key column, null where the table has none.
Json key(const std::vector<std::string>& values, std::size_t row) {
    return values.empty() ? Json() : Json(values[row]);
}

}  // namespace

const Noun score_noun = {"score", score_columns};
const Noun model_noun = {"model", model_columns};
const Noun forecast_noun = {"forecast", forecast_columns};

std::vector<Finding> findings_of(const TrainedModel& model, const module::FeatureTable& features) {
    const Severities severities = model.ensemble.severities(features);
    std::vector<Finding> out;
    for (const auto& [first, last] : module::series_of(features)) {
        Judge judge(model.threshold);
        for (std::size_t i = first; i < last; ++i)
            out.push_back({severities.fused[i], judge.judge(severities.fused[i].severity)});
    }
    return out;
}

Json score_row(const TrainedModel& model, const KeyedTable& table,
               const module::FeatureTable& features, std::size_t row, const Finding& finding,
               std::size_t reasons) {
    std::size_t first = 0;
    for (const auto& [begin, end] : module::series_of(features))
        if (begin <= row)
            first = begin;
    // The rows that the score is the mean of, and those that their scores look back at.
    const std::size_t count = std::min(model.ensemble.smoothing(), row - first + 1);
    const std::size_t before = std::min(model.ensemble.history() + count - 1, row - first);
    Json list = Json::array();
    std::string why;
    const auto parts = reasons == 0
                           ? std::vector<Reason>()
                           : model.ensemble.explain(features.rows_of(row - before, row + 1),
                                                    features.columns.size(), count, reasons);
    for (const Reason& part : parts) {
        const double value = part.value;
        const std::string_view direction = std::isnan(value)       ? "missing"
                                           : value > part.expected ? "above"
                                           : value < part.expected ? "below"
                                                                   : "as usual";
        const std::string& name = features.columns[part.column];
        list.push_back({{"feature", name},
                        {"value", std::isnan(value) ? Json() : Json(value)},
                        {"expected", part.expected},
                        {"direction", direction},
                        {"share", part.share}});
        why += (why.empty() ? "" : "; ") + name;
        why += std::isnan(value) ? " is missing" : " is " + short_number(value);
        why += ", usually " + short_number(part.expected);
    }
    const Fused& fused = finding.fused;
    return {{"device", key(table.devices, row)},
            {"window_start", key(table.starts, row)},
            {"window_end", key(table.ends, row)},
            {"score", published(fused.severity)},
            {"low", published(std::max(0.0, fused.severity - fused.spread))},
            {"high", published(fused.severity + fused.spread)},
            {"severity", fused.severity},
            {"threshold", published(finding.verdict.threshold)},
            {"anomaly", finding.verdict.anomaly},
            {"model", model.name},
            {"why", why},
            {"features", std::move(list)}};
}

Json model_row(const TrainedModel& model, const std::filesystem::path& folder) {
    const auto of_training = [&model](const char* name) {
        return model.training.is_object() ? model.training.value(name, Json()) : Json();
    };
    const Versions versions = versions_of(folder, model.name);
    return {{"name", model.name},
            {"kind", model.kind},
            {"trained", model.trained},
            {"rows", of_training("rows")},
            {"columns", model.columns.size()},
            {"threshold", published(Judge(model.threshold).judge(0).threshold)},
            {"quantile", model.threshold.quantile},
            {"rule", rule_names[static_cast<std::size_t>(model.threshold.rule)]},
            {"version", versions.active},
            {"versions", versions.kept},
            {"source", of_training("source")},
            {"file", model_path(folder, model.name).string()}};
}

Json evaluation_object(const TrainedModel& model, const Evaluation& found, const KeyedTable& test) {
    return {{"model", model.kind},
            {"seed", model.training["seed"]},
            {"train_rows", model.training["rows"]},
            {"test_rows", test.labels.size()},
            {"anomalies", std::count(test.labels.begin(), test.labels.end(), true)},
            {"roc_auc", found.roc_auc},
            {"average_precision", found.average_precision},
            {"best_f1", found.best_f1},
            {"vus_pr", found.vus_pr},
            {"rule", rule_names[static_cast<std::size_t>(model.threshold.rule)]},
            {"threshold", published(Judge(model.threshold).judge(0).threshold)},
            {"precision", found.precision},
            {"recall", found.recall},
            {"f1", found.f1}};
}

Json forecast_row(const KeyedTable& table, const module::FeatureTable& features, std::size_t last,
                  std::size_t step, std::size_t column, const module::Forecast& ahead) {
    const std::size_t at = (step - 1) * features.columns.size() + column;
    return {{"device", key(table.devices, last)},
            {"window_end", key(table.ends, last)},
            {"ahead", step},
            {"feature", features.columns[column]},
            {"value", ahead.values[at]},
            {"low", ahead.values[at] - ahead.margins[at]},
            {"high", ahead.values[at] + ahead.margins[at]}};
}

Json drift_object(const TrainedModel& model, const module::FeatureTable& features,
                  const std::vector<Finding>& findings) {
    constexpr std::size_t most_named = 10;
    constexpr double retrain_part = 0.2, retrain_rate = 0.1;
    const std::vector<Drift> drift = model.spread.drift(features);
    std::vector<std::size_t> order(drift.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return drift[a].psi > drift[b].psi; });
    double drifted = 0, unusual = 0;
    for (const Drift& each : drift)
        drifted += each.drifted() ? 1 : 0;
    for (const Finding& finding : findings)
        unusual += finding.fused.severity > 2 ? 1 : 0;
    const double part = drifted / static_cast<double>(drift.size());
    const double rate = unusual / static_cast<double>(findings.size());
    Json worst = Json::array();
    for (std::size_t i = 0; i < std::min(most_named, order.size()); ++i)
        worst.push_back({{"feature", features.columns[order[i]]},
                         {"psi", drift[order[i]].psi},
                         {"ks", drift[order[i]].ks},
                         {"drifted", drift[order[i]].drifted()}});
    return {{"model", model.name},      {"rows", features.rows()},
            {"features", drift.size()}, {"drifted", drifted},
            {"unusual_rate", rate},     {"retrain", part > retrain_part || rate > retrain_rate},
            {"worst", std::move(worst)}};
}

Result<Json> parse_parameters(const std::vector<std::string>& items) {
    Json out = Json::object();
    for (const std::string& item : items) {
        const auto equals = item.find('=');
        const std::string_view text =
            equals == std::string::npos ? "" : std::string_view(item).substr(equals + 1);
        std::uint64_t whole = 0;
        double number = 0;
        const char* const end = text.data() + text.size();
        const auto is_all = [end](std::from_chars_result parsed) {
            return parsed.ec == std::errc() && parsed.ptr == end;
        };
        if (!text.empty() && equals > 0 && is_all(std::from_chars(text.data(), end, whole)))
            out[item.substr(0, equals)] = whole;
        else if (!text.empty() && equals > 0 && is_all(std::from_chars(text.data(), end, number)))
            out[item.substr(0, equals)] = number;
        else
            return make_error(ErrorKind::usage, "model_parameter",
                              "--parameter '" + printable(item) + "' is not name=number");
    }
    return {boost::system::in_place_value, std::move(out)};
}

}  // namespace amoskys::score
