// The last stage of a run: tables, pictures, quality report, metadata and summary into the folder.
//
//   canonical_telemetry_full, train_features, val_features   export.h; .csv, .parquet or both
//   feature_metadata.json    unit, stage, formula and statistics of each column, baselines, and the
//                            scale's parameters whether the tables are scaled or not
//   quality_report.json      quality.h; `etl quality` shows it
//   feature_correlations.svg, normalized_distributions.svg, temporal_patterns.svg
//   pipeline_summary.json    last
//
// Each appears under a temporary name and is renamed when it is whole: a kill at any time leaves
// the old file or the new one. A table in a format that is not asked for any more is removed.
#pragma once

#include <functional>
#include <span>

#include "core/json/json.h"
#include "modules/transformation/etl/export.h"
#include "modules/transformation/etl/report.h"

namespace amoskys::etl {

struct OutputRequest {
    ExportOptions files;
    RunFacts facts;
    // Of train_features and val_features; without it they hold the numbers as they are.
    ColumnChange scale;
    std::function<void(std::uint64_t)> progress;  // rows of the table that is being written
};

// Returns the summary. Each file appears whole under its name, the summary last; on an error those
// before it may already be the new ones.
Result<Json> write_outputs(const FeatureStore& store,
                           std::span<const module::FeatureColumn> columns,
                           const OutputRequest& request);

}  // namespace amoskys::etl
