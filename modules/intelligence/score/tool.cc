#include "modules/intelligence/score/tool.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iostream>
#include <numeric>

#include "core/base/file.h"
#include "core/base/number_text.h"
#include "core/base/text.h"
#include "modules/intelligence/score/evaluate.h"
#include "modules/intelligence/score/model_file.h"
#include "modules/intelligence/score/report.h"
#include "modules/intelligence/score/training.h"

namespace amoskys::score {
namespace {

std::vector<NamedKind> kinds() {
    std::vector<NamedKind> out;
    for (const module::ModuleInfo* info : module::all_modules())
        if (info->kind == module::Kind::model)
            out.push_back({info->name, info->model});
    return out;
}

std::filesystem::path models_folder(const module::ToolContext& context) {
    return context.state_dir / "models";
}

std::filesystem::path features_folder(const module::ToolContext& context,
                                      const std::string& option) {
    return option.empty() ? context.state_dir / "features" : std::filesystem::path(option);
}

template <class Config>
const Config& options_of(const module::ToolContext& context) {
    return *std::static_pointer_cast<const Config>(context.config);
}

// The rows of the `limit` highest scores, highest first; all in their order where it is 0.
std::vector<std::size_t> ranked(const std::vector<Finding>& findings, std::uint64_t limit) {
    std::vector<std::size_t> rows(findings.size());
    std::iota(rows.begin(), rows.end(), std::size_t{0});
    if (limit == 0)
        return rows;
    std::stable_sort(rows.begin(), rows.end(), [&](std::size_t a, std::size_t b) {
        return findings[a].fused.severity > findings[b].fused.severity;
    });
    rows.resize(std::min<std::size_t>(rows.size(), limit));
    return rows;
}

void note_dropped(const module::ToolContext& context, std::size_t dropped) {
    if (dropped > 0 && !context.quiet)
        std::cerr << "score: " << dropped
                  << " columns are not known to the model and are not used; train again to use "
                     "them\n";
}

constexpr std::string_view more_windows =
    "let the collectors run longer, or cut shorter windows (amoskys etl --window, --step)";

// Fewer rows than 1 / (1 - quantile) have no row to spare above the threshold.
Result<> check_rows(const module::ToolContext& context, const KeyedTable& table, double quantile) {
    const std::size_t rows = table.features.rows();
    const double wanted = std::ceil(1 / std::max(1 - quantile, 1e-6) - 1e-9);
    const auto count = static_cast<std::uint64_t>(wanted);
    if (rows < 2)
        return make_error(ErrorKind::bad_data, "training_too_few_rows",
                          table.source + " has " + std::to_string(rows) +
                              " windows; training needs at least 2, and " + std::to_string(count) +
                              " for a threshold at quantile " + json::dump(Json(quantile)),
                          std::string(more_windows));
    if (rows < count && !context.quiet)
        std::cerr << "score: trained on " << rows << " windows; a threshold at quantile "
                  << json::dump(Json(quantile)) << " wants " << count << ": " << more_windows
                  << "\n";
    return {};
}

Result<TrainRequest> request_of(const ModelConfig& options) {
    TrainRequest out{.name = options.model,
                     .kind = options.model,
                     .seed = options.seed,
                     .threshold = options.threshold,
                     .quantile = options.quantile,
                     .confirm = options.confirm,
                     .within = options.within,
                     .fusion = options.fusion,
                     .smoothing = options.smooth,
                     .now_ns = system_clock().now_ns()};
    AMOSKYS_TRY(parameters, parse_parameters(options.parameter));
    out.parameters = std::move(parameters);
    return out;
}

void note_left_out(const module::ToolContext& context, const TrainedModel& model) {
    for (const Json& kind : model.training["left_out"])
        if (!context.quiet)
            std::cerr << "score: the table is too wide for " << kind.get<std::string>()
                      << ", which is left out\n";
}

}  // namespace

Result<> train_verb(module::ToolContext& context) {
    const auto& options = options_of<TrainConfig>(context);
    AMOSKYS_TRY(request, request_of(options));
    if (!options.name.empty())
        request.name = options.name;
    AMOSKYS_TRY(file, find_table(features_folder(context, options.features)));
    AMOSKYS_TRY(table, read_table(file, {.label = {}, .ignore = options.ignore}));
    AMOSKYS_TRY_VOID(check_rows(context, table, options.quantile));
    AMOSKYS_TRY(model, train(kinds(), table, request));
    note_left_out(context, model);
    if (options.automatic) {
        auto current = load_model(kinds(), models_folder(context), request.name);
        if (!current && current.error().kind != ErrorKind::no_input)
            return current.error();
        if (current) {
            AMOSKYS_TRY(trial, compare(kinds(), *current, table, request));
            if (!context.quiet)
                std::cerr << "score: on held-back rows with faults put in, the new model has an "
                             "average precision of "
                          << shortest_number(trial.candidate) << ", the active one "
                          << shortest_number(trial.current)
                          << (trial.better() ? ": replaced\n" : ": kept\n");
            if (!trial.better())
                return write_object(context.out, context.output, "model",
                                    model_row(*current, models_folder(context)));
        }
    }
    AMOSKYS_TRY_VOID(save_model(models_folder(context), model));
    return write_object(context.out, context.output, "model",
                        model_row(model, models_folder(context)));
}

Result<> run_verb(module::ToolContext& context) {
    const auto& options = options_of<ScoreConfig>(context);
    AMOSKYS_TRY(model, load_model(kinds(), models_folder(context), options.name));
    AMOSKYS_TRY(file, find_table(features_folder(context, options.features)));
    AMOSKYS_TRY(table, read_table(file, {.label = {}, .ignore = options.ignore}));
    std::size_t dropped = 0;
    AMOSKYS_TRY(features, select_columns(table, model.columns, dropped));
    note_dropped(context, dropped);
    if (features.rows() == 0 && !context.quiet)
        std::cerr << "score: " << table.source << " has no windows to score; " << more_windows
                  << "\n";
    const std::vector<Finding> findings = findings_of(model, features);
    std::vector<std::size_t> chosen = ranked(findings, options.limit);
    if (options.anomalies)
        std::erase_if(chosen, [&](std::size_t row) { return !findings[row].verdict.anomaly; });
    const auto print = [&](ByteSink& sink, const OutputOptions& output) -> Result<> {
        AMOSKYS_TRY(rows, RowOutput::open(sink, output, score_noun));
        for (const std::size_t row : chosen)
            if (!rows->row(score_row(model, table, features, row, findings[row], options.reasons)))
                return {};
        return rows->finish();
    };
    if (options.out.empty())
        return print(context.out, context.output);
    StringSink sink;
    OutputOptions output = context.output;
    if (output.format == OutputFormat::table)
        output.format = OutputFormat::ndjson;
    AMOSKYS_TRY_VOID(print(sink, output));
    return write_file_atomic(options.out, sink.text, 0644);
}

Result<> eval_verb(module::ToolContext& context) {
    const auto& options = options_of<EvalConfig>(context);
    AMOSKYS_TRY(request, request_of(options));
    // A training table may have labels; the unsupervised kinds do not see them.
    TableOptions columns{.label = {}, .ignore = options.ignore};
    columns.ignore.push_back(options.label);
    AMOSKYS_TRY(training, read_table(options.train, columns));
    AMOSKYS_TRY(test, read_table(options.test, {.label = options.label, .ignore = options.ignore}));
    AMOSKYS_TRY(model, train(kinds(), training, request));
    note_left_out(context, model);
    std::size_t dropped = 0;
    AMOSKYS_TRY(features, select_columns(test, model.columns, dropped));
    note_dropped(context, dropped);
    std::vector<double> severities;
    std::vector<bool> flagged;
    for (const Finding& finding : findings_of(model, features)) {
        severities.push_back(finding.fused.severity);
        flagged.push_back(finding.verdict.anomaly);
    }
    AMOSKYS_TRY(found, evaluate(severities, test.labels, flagged));
    return write_object(context.out, context.output, "evaluation",
                        evaluation_object(model, found, test));
}

namespace {

Result<> list_all(module::ToolContext& context) {
    AMOSKYS_TRY(rows, RowOutput::open(context.out, context.output, model_noun));
    const auto known = kinds();
    for (const std::string& name : list_models(models_folder(context))) {
        auto model = load_model(known, models_folder(context), name);
        if (!model)  // one damaged file does not hide the others
            std::cerr << "score: " << model.error().message << "\n";
        else if (!rows->row(model_row(*model, models_folder(context))))
            return {};
    }
    return rows->finish();
}

Result<std::uint64_t> wanted_version(const module::ToolContext& context,
                                     const std::vector<std::string>& words) {
    const Versions versions = versions_of(models_folder(context), words[1]);
    if (words[0] == "activate") {
        std::uint64_t version = 0;
        const char* const end = words[2].data() + words[2].size();
        const auto read = std::from_chars(words[2].data(), end, version);
        if (read.ec != std::errc() || read.ptr != end || version == 0)
            return make_error(ErrorKind::usage, "model_version",
                              "'" + printable(words[2]) + "' is no version",
                              "score models lists them");
        return version;
    }
    std::uint64_t before = 0;
    for (const std::uint64_t version : versions.kept)
        if (version < versions.active)
            before = version;
    if (before == 0)
        return make_error(
            ErrorKind::no_input, "no_model_version",
            "model '" + printable(words[1]) + "' has no version before the active one",
            "score models lists them");
    return before;
}

}  // namespace

Result<> models_verb(module::ToolContext& context) {
    const auto& words = options_of<ModelsConfig>(context).words;
    if (words.empty() || (words.size() == 1 && words[0] == "list"))
        return list_all(context);
    if (!(words.size() == 3 && words[0] == "activate") &&
        !(words.size() == 2 && words[0] == "rollback"))
        return make_error(ErrorKind::usage, "models_words",
                          "score models takes: list, activate NAME VERSION, or rollback NAME");
    AMOSKYS_TRY(version, wanted_version(context, words));
    AMOSKYS_TRY(model, activate(kinds(), models_folder(context), words[1], version));
    return write_object(context.out, context.output, "model",
                        model_row(model, models_folder(context)));
}

Result<> forecast_verb(module::ToolContext& context) {
    const auto& options = options_of<ForecastConfig>(context);
    std::vector<std::size_t> steps;
    for (const std::string& text : options.ahead) {
        std::size_t step = 0;
        const char* const end = text.data() + text.size();
        const auto read = std::from_chars(text.data(), end, step);
        if (read.ec != std::errc() || read.ptr != end || step < 1 || step > 10'000)
            return make_error(ErrorKind::usage, "forecast_steps",
                              "--ahead '" + printable(text) + "' is no number from 1 to 10000");
        steps.push_back(step);
    }
    AMOSKYS_TRY(model, load_model(kinds(), models_folder(context), options.name));
    AMOSKYS_TRY(kind, find_kind(kinds(), model.ensemble.members[0].kind));
    if (kind->forecast == nullptr || model.ensemble.members.size() != 1)
        return make_error(ErrorKind::usage, "model_no_forecast",
                          "a model of kind " + model.kind + " makes no forecasts",
                          "amoskys score train --model var");
    AMOSKYS_TRY(file, find_table(features_folder(context, options.features)));
    AMOSKYS_TRY(table, read_table(file, {.label = {}, .ignore = options.ignore}));
    std::size_t dropped = 0;
    AMOSKYS_TRY(features, select_columns(table, model.columns, dropped));
    note_dropped(context, dropped);
    AMOSKYS_TRY(rows, RowOutput::open(context.out, context.output, forecast_noun));
    if (steps.empty() || features.rows() == 0)
        return rows->finish();
    const std::size_t longest = *std::max_element(steps.begin(), steps.end());
    for (const auto& [first, last] : module::series_of(features)) {
        const module::Forecast ahead = kind->forecast(*model.ensemble.members[0].model,
                                                      features.rows_of(first, last), longest);
        for (const std::size_t step : steps)
            for (std::size_t c = 0; c < features.columns.size(); ++c)
                if (!rows->row(forecast_row(table, features, last - 1, step, c, ahead)))
                    return {};
    }
    return rows->finish();
}

Result<> drift_verb(module::ToolContext& context) {
    const auto& options = options_of<DriftConfig>(context);
    AMOSKYS_TRY(model, load_model(kinds(), models_folder(context), options.name));
    AMOSKYS_TRY(file, find_table(features_folder(context, options.features)));
    AMOSKYS_TRY(table, read_table(file, {.label = {}, .ignore = options.ignore}));
    std::size_t dropped = 0;
    AMOSKYS_TRY(features, select_columns(table, model.columns, dropped));
    note_dropped(context, dropped);
    if (features.rows() == 0)
        return make_error(ErrorKind::bad_data, "no_rows",
                          table.source + " has no windows to compare", std::string(more_windows));
    return write_object(context.out, context.output, "drift",
                        drift_object(model, features, findings_of(model, features)));
}

}  // namespace amoskys::score
