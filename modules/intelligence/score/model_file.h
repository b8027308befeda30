// A trained model with its threshold and where it came from, as <state_dir>/models/NAME.model:
// message ModelFile of proto/model.proto, checked by SHA-256. What it replaces is kept in
// models/versions/NAME/N.model.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/json/json.h"
#include "modules/intelligence/score/drift.h"
#include "modules/intelligence/score/ensemble.h"
#include "modules/intelligence/score/threshold.h"

namespace amoskys::score {

// The model kinds of this binary, by name.
struct NamedKind {
    std::string_view name;
    const module::ModelKind* kind = nullptr;
};

struct TrainedModel {
    std::string name, kind, trained;
    Json training = Json::object();  // source, rows, columns, seed, parameters
    std::vector<std::string> columns;
    Ensemble ensemble;
    ThresholdRule threshold;
    Spread spread;  // of the columns in training, for the drift monitor
};

// usage where no kind has the name, with the nearest one.
Result<const module::ModelKind*> find_kind(std::span<const NamedKind> kinds, std::string_view name);

std::string encode_model(const TrainedModel& model);
// bad_data, beginning with `where`, for anything that encode_model does not write.
Result<TrainedModel> decode_model(std::span<const NamedKind> kinds, ByteView file,
                                  const std::string& where);

std::filesystem::path model_path(const std::filesystem::path& folder, std::string_view name);
// Replaces the model of that name; the file is also kept as its next version (the last ten are).
Result<> save_model(const std::filesystem::path& folder, const TrainedModel& model);
// no_input where there is none; bad_data where it is not a model of this version.
Result<TrainedModel> load_model(std::span<const NamedKind> kinds,
                                const std::filesystem::path& folder, std::string_view name);
// Names of the models in a folder, sorted.
std::vector<std::string> list_models(const std::filesystem::path& folder);

struct Versions {
    std::vector<std::uint64_t> kept;  // ascending
    std::uint64_t active = 0;         // 0 = the active file is none of them
};
Versions versions_of(const std::filesystem::path& folder, const std::string& name);
// Makes a kept version the active one, after loading it. no_input where it is not kept.
Result<TrainedModel> activate(std::span<const NamedKind> kinds, const std::filesystem::path& folder,
                              const std::string& name, std::uint64_t version);

}  // namespace amoskys::score
