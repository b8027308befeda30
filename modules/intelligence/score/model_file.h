// A trained model with its threshold and where it came from, as JSON under <state_dir>/models.
//
//   {"schema": "amoskys.model/1", "name": ..., "kind": "iforest", "trained": RFC 3339,
//    "training": {"source": ..., "rows": n, "seed": n, "parameters": {...}},
//    "threshold": {"value": x, "quantile": 0.99}, "model": {what the kind saves}}
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/module/model.h"
#include "modules/intelligence/score/table.h"

namespace amoskys::score {

// The model kinds of this binary, by name.
struct NamedKind {
    std::string_view name;
    const module::ModelKind* kind = nullptr;
};

struct TrainRequest {
    std::string name;  // of the model; [A-Za-z0-9._-]{1,64}
    std::string kind;
    std::uint64_t seed = 0;
    double quantile = 0.99;
    Json parameters = Json::object();
    UnixNanos now_ns = 0;
};

struct TrainedModel {
    std::string name, kind, trained;
    Json training = Json::object();
    double threshold = 0;  // a score above it is an anomaly
    double quantile = 0;
    std::unique_ptr<module::Model> model;
};

// usage where no kind has the name, with the nearest one.
Result<const module::ModelKind*> find_kind(std::span<const NamedKind> kinds, std::string_view name);

// Fits the model; the threshold is the quantile of the scores of the training rows themselves.
Result<TrainedModel> train(std::span<const NamedKind> kinds, const KeyedTable& table,
                           const TrainRequest& request);

std::filesystem::path model_path(const std::filesystem::path& folder, std::string_view name);
Result<> save_model(const std::filesystem::path& folder, const TrainedModel& model);
// no_input where there is none; bad_data where it is not a model of this version.
Result<TrainedModel> load_model(std::span<const NamedKind> kinds,
                                const std::filesystem::path& folder, std::string_view name);
// Names of the models in a folder, sorted.
std::vector<std::string> list_models(const std::filesystem::path& folder);

std::vector<double> score_rows(const module::Model& model, const module::FeatureTable& table);

}  // namespace amoskys::score
