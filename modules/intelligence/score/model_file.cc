#include "modules/intelligence/score/model_file.h"

#include <algorithm>
#include <cmath>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/base/types.h"
#include "modules/intelligence/score/evaluate.h"

namespace amoskys::score {
namespace {

constexpr std::uint64_t most_model_bytes = 256ULL << 20;
constexpr unsigned folder_mode = 0700, file_mode = 0600;
constexpr std::string_view schema = "amoskys.model/1";

Error damaged(const std::filesystem::path& path, const std::string& what) {
    return make_error(ErrorKind::bad_data, "model_damaged",
                      "model file " + path.string() + ": " + what,
                      "train it again: amoskys score train");
}

Result<TrainedModel> decode(std::span<const NamedKind> kinds, const Json& saved,
                            const std::filesystem::path& path) {
    const auto text = [&saved](const char* key) {
        const auto found = saved.find(key);
        return found != saved.end() && found->is_string() ? found->get<std::string>() : "";
    };
    if (!saved.is_object() || text("schema") != schema)
        return damaged(path, "schema '" + printable(saved.is_object() ? text("schema") : "") +
                                 "' is not " + std::string(schema));
    const auto threshold = saved.find("threshold");
    const auto model = saved.find("model");
    if (threshold == saved.end() || !threshold->is_object() ||
        !threshold->value("value", Json()).is_number() ||
        !threshold->value("quantile", Json()).is_number() || model == saved.end())
        return damaged(path, "threshold or model is missing");
    AMOSKYS_TRY(kind, find_kind(kinds, text("kind")));
    AMOSKYS_TRY(loaded, kind->load(*model));
    TrainedModel out;
    out.name = text("name");
    out.kind = text("kind");
    out.trained = text("trained");
    out.training = saved.value("training", Json::object());
    out.threshold = (*threshold)["value"].get<double>();
    out.quantile = (*threshold)["quantile"].get<double>();
    out.model = std::move(loaded);
    return out;
}

}  // namespace

Result<const module::ModelKind*> find_kind(std::span<const NamedKind> kinds,
                                           std::string_view name) {
    std::vector<std::string_view> names;
    std::string known;
    for (const NamedKind& named : kinds) {
        if (named.name == name)
            return named.kind;
        names.push_back(named.name);
        known += (known.empty() ? "" : ", ") + std::string(named.name);
    }
    const std::string_view near = nearest(name, names);
    return make_error(
        ErrorKind::usage, "unknown_model", "there is no model kind '" + printable(name) + "'",
        near.empty() ? "one of: " + known : "did you mean " + std::string(near) + "?");
}

std::vector<double> score_rows(const module::Model& model, const module::FeatureTable& table) {
    std::vector<double> scores;
    scores.reserve(table.rows());
    for (std::size_t i = 0; i < table.rows(); ++i)
        scores.push_back(model.score(table.row(i)));
    return scores;
}

Result<TrainedModel> train(std::span<const NamedKind> kinds, const KeyedTable& table,
                           const TrainRequest& request) {
    if (!valid_agent_id(request.name))
        return make_error(ErrorKind::usage, "model_name",
                          "model name '" + printable(request.name) +
                              "' must be 1 to 64 characters of A-Z a-z 0-9 . _ -");
    AMOSKYS_TRY(kind, find_kind(kinds, request.kind));
    AMOSKYS_TRY(model, kind->train(table.features, request.seed, request.parameters));
    TrainedModel out;
    out.name = request.name;
    out.kind = request.kind;
    out.trained = format_time(request.now_ns);
    out.training = {{"source", table.source},
                    {"rows", table.features.rows()},
                    {"columns", table.features.columns.size()},
                    {"seed", request.seed},
                    {"parameters", request.parameters}};
    out.quantile = request.quantile;
    out.threshold = quantile(score_rows(*model, table.features), request.quantile);
    out.model = std::move(model);
    return out;
}

std::filesystem::path model_path(const std::filesystem::path& folder, std::string_view name) {
    return folder / (std::string(name) + ".json");
}

Result<> save_model(const std::filesystem::path& folder, const TrainedModel& model) {
    AMOSKYS_TRY_VOID(make_directories(folder, folder_mode));
    const Json saved = {{"schema", schema},
                        {"name", model.name},
                        {"kind", model.kind},
                        {"trained", model.trained},
                        {"training", model.training},
                        {"threshold", {{"value", model.threshold}, {"quantile", model.quantile}}},
                        {"model", model.model->save()}};
    return write_file_atomic(model_path(folder, model.name), json::dump(saved) + "\n", file_mode);
}

Result<TrainedModel> load_model(std::span<const NamedKind> kinds,
                                const std::filesystem::path& folder, std::string_view name) {
    if (!valid_agent_id(name))
        return make_error(ErrorKind::usage, "model_name",
                          "'" + printable(name) + "' cannot be the name of a model");
    const auto path = model_path(folder, name);
    auto text = read_file(path, most_model_bytes);
    if (!text && text.error().kind == ErrorKind::no_input)
        return make_error(ErrorKind::no_input, "no_model",
                          "there is no model '" + std::string(name) + "' (" + path.string() + ")",
                          "amoskys score train makes one; amoskys score models lists them");
    if (!text)
        return text.error();
    AMOSKYS_TRY(saved, json::parse(*text, "model file " + path.string()));
    return decode(kinds, saved, path);
}

std::vector<std::string> list_models(const std::filesystem::path& folder) {
    std::vector<std::string> names;
    std::error_code failed;  // no folder: no models
    for (std::filesystem::directory_iterator at(folder, failed), end; !failed && at != end;
         at.increment(failed))
        if (at->path().extension() == ".json" && valid_agent_id(at->path().stem().string()))
            names.push_back(at->path().stem().string());
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace amoskys::score
