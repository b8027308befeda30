// Baselines in feature_metadata.json, under "baselines": {device: {metric: {"count", "min", "max",
// "mean", "std", "step_std", "interval_s"}}}. Numbers come back bit for bit.
#pragma once

#include <filesystem>

#include "core/json/json.h"
#include "modules/transformation/etl/baseline.h"

namespace amoskys::etl {

Json to_json(const Baselines& baselines);

// bad_data where `saved` is not what to_json() makes; `where` names it.
Result<Baselines> baselines_from_json(const Json& saved, const std::string& where);

// Of the metadata that an earlier run left; no_input where there is no such file.
Result<Baselines> read_baselines(const std::filesystem::path& metadata);

}  // namespace amoskys::etl
