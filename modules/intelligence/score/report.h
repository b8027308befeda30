// What score prints: rows, reasons in words, evaluations; and "key=value" parameters of models.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/json/output.h"
#include "modules/intelligence/score/evaluate.h"
#include "modules/intelligence/score/model_file.h"

namespace amoskys::score {

extern const Noun score_noun;
extern const Noun model_noun;

// One scored row: device, window_start, window_end, score, threshold, anomaly, model, why (words),
// features [{feature, value, expected, share}], most telling first.
Json score_row(const TrainedModel& model, const KeyedTable& table,
               const module::FeatureTable& features, std::size_t row, std::size_t reasons);

Json model_row(const TrainedModel& model, const std::filesystem::path& folder);

Json evaluation_object(const TrainedModel& model, const Evaluation& found, const KeyedTable& test);

// {"trees=200"} -> {"trees": 200}; usage error where one is no key=number.
Result<Json> parse_parameters(const std::vector<std::string>& items);

}  // namespace amoskys::score
