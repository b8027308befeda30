// What score prints: rows, reasons in words, evaluations; and "key=value" parameters of models.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/json/output.h"
#include "modules/intelligence/score/evaluate.h"
#include "modules/intelligence/score/model_file.h"
#include "modules/intelligence/score/table.h"

namespace amoskys::score {

extern const Noun score_noun;
extern const Noun model_noun;
extern const Noun forecast_noun;

// What was found of one row, as published scores.
struct Finding {
    Fused fused;
    Verdict verdict;
};
// The findings of all rows, each series followed by its own judge.
std::vector<Finding> findings_of(const TrainedModel& model, const module::FeatureTable& features);

// One scored row: device, window_start, window_end, score, low, high (the score where the members'
// severities lie a standard deviation lower or higher), severity, threshold, anomaly, model, why
// (words), features [{feature, value, expected, direction, share}], most telling first: of the rows
// that the score is the mean of, with the value of the row where the feature was most unusual.
Json score_row(const TrainedModel& model, const KeyedTable& table,
               const module::FeatureTable& features, std::size_t row, const Finding& finding,
               std::size_t reasons);

Json model_row(const TrainedModel& model, const std::filesystem::path& folder);

Json evaluation_object(const TrainedModel& model, const Evaluation& found, const KeyedTable& test);

// One feature of a forecast: device, window_end (of the last row known), ahead (rows), feature,
// value, low, high (nine of ten lie between).
Json forecast_row(const KeyedTable& table, const module::FeatureTable& features, std::size_t last,
                  std::size_t step, std::size_t column, const module::Forecast& ahead);

// Whether the model should be trained again: features that are spread differently (how many, the
// worst ten with PSI and KS), and the rate of rows with p < 0.01 where one in a hundred is
// expected.
Json drift_object(const TrainedModel& model, const module::FeatureTable& features,
                  const std::vector<Finding>& findings);

// {"trees=200"} -> {"trees": 200}; usage error where one is no key=number.
Result<Json> parse_parameters(const std::vector<std::string>& items);

}  // namespace amoskys::score
