#include "modules/intelligence/score/report.h"

#include <algorithm>
#include <charconv>

#include "core/base/number_text.h"
#include "core/base/text.h"

namespace amoskys::score {
namespace {

constexpr Column score_columns[] = {
    {.name = "device"},
    {.name = "window_start"},
    {.name = "window_end", .in_table = false},
    {.name = "score", .right = true},
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
    {.name = "quantile", .right = true},
    {.name = "source"},
    {.name = "file", .in_table = false},
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

Json score_row(const TrainedModel& model, const KeyedTable& table,
               const module::FeatureTable& features, std::size_t row, std::size_t reasons) {
    const auto values = features.row(row);
    const double score = model.model->score(values);
    Json list = Json::array();
    std::string why;
    for (const module::Contribution& part : model.model->explain(values, reasons)) {
        const double value = values[part.column];
        list.push_back({{"feature", features.columns[part.column]},
                        {"value", value},
                        {"expected", part.expected},
                        {"share", part.share}});
        why += (why.empty() ? "" : "; ") + features.columns[part.column] + " is " +
               short_number(value) + ", usually " + short_number(part.expected);
    }
    return {{"device", key(table.devices, row)},
            {"window_start", key(table.starts, row)},
            {"window_end", key(table.ends, row)},
            {"score", score},
            {"threshold", model.threshold},
            {"anomaly", score > model.threshold},
            {"model", model.name},
            {"why", why},
            {"features", std::move(list)}};
}

Json model_row(const TrainedModel& model, const std::filesystem::path& folder) {
    const auto of_training = [&model](const char* name) {
        return model.training.is_object() ? model.training.value(name, Json()) : Json();
    };
    return {{"name", model.name},
            {"kind", model.kind},
            {"trained", model.trained},
            {"rows", of_training("rows")},
            {"columns", model.model->columns().size()},
            {"threshold", model.threshold},
            {"quantile", model.quantile},
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
            {"threshold", model.threshold},
            {"precision", found.precision},
            {"recall", found.recall},
            {"f1", found.f1}};
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
