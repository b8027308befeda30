#include "modules/intelligence/score/tool.h"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <numeric>

#include "core/base/file.h"
#include "modules/intelligence/score/evaluate.h"
#include "modules/intelligence/score/model_file.h"
#include "modules/intelligence/score/report.h"

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
std::vector<std::size_t> ranked(const std::vector<double>& scores, std::uint64_t limit) {
    std::vector<std::size_t> rows(scores.size());
    std::iota(rows.begin(), rows.end(), std::size_t{0});
    if (limit == 0)
        return rows;
    std::stable_sort(rows.begin(), rows.end(),
                     [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
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

}  // namespace

Result<> train_verb(module::ToolContext& context) {
    const auto& options = options_of<TrainConfig>(context);
    TrainRequest request{.name = options.name.empty() ? options.model : options.name,
                         .kind = options.model,
                         .seed = options.seed,
                         .quantile = options.quantile,
                         .now_ns = system_clock().now_ns()};
    AMOSKYS_TRY(parameters, parse_parameters(options.parameter));
    request.parameters = std::move(parameters);
    AMOSKYS_TRY(file, find_table(features_folder(context, options.features)));
    AMOSKYS_TRY(table, read_table(file, {.label = {}, .ignore = options.ignore}));
    AMOSKYS_TRY_VOID(check_rows(context, table, options.quantile));
    AMOSKYS_TRY(model, train(kinds(), table, request));
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
    AMOSKYS_TRY(features, select_columns(table, model.model->columns(), dropped));
    note_dropped(context, dropped);
    if (features.rows() == 0 && !context.quiet)
        std::cerr << "score: " << table.source << " has no windows to score; " << more_windows
                  << "\n";
    const std::vector<double> scores = score_rows(*model.model, features);
    std::vector<std::size_t> chosen = ranked(scores, options.limit);
    if (options.anomalies)
        std::erase_if(chosen, [&](std::size_t row) { return scores[row] <= model.threshold; });
    const auto print = [&](ByteSink& sink, const OutputOptions& output) -> Result<> {
        AMOSKYS_TRY(rows, RowOutput::open(sink, output, score_noun));
        for (const std::size_t row : chosen)
            if (!rows->row(score_row(model, table, features, row, options.reasons)))
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
    AMOSKYS_TRY(parameters, parse_parameters(options.parameter));
    // A training table may have labels; the unsupervised kinds do not see them.
    TableOptions columns{.label = {}, .ignore = options.ignore};
    columns.ignore.push_back(options.label);
    AMOSKYS_TRY(training, read_table(options.train, columns));
    AMOSKYS_TRY(test, read_table(options.test, {.label = options.label, .ignore = options.ignore}));
    AMOSKYS_TRY(model, train(kinds(), training,
                             {.name = options.model,
                              .kind = options.model,
                              .seed = options.seed,
                              .quantile = options.quantile,
                              .parameters = std::move(parameters),
                              .now_ns = system_clock().now_ns()}));
    std::size_t dropped = 0;
    AMOSKYS_TRY(features, select_columns(test, model.model->columns(), dropped));
    note_dropped(context, dropped);
    AMOSKYS_TRY(found, evaluate(score_rows(*model.model, features), test.labels, model.threshold));
    return write_object(context.out, context.output, "evaluation",
                        evaluation_object(model, found, test));
}

Result<> models_verb(module::ToolContext& context) {
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

}  // namespace amoskys::score
