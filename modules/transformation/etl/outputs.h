// The last stage of a run: tables, pictures, quality report, metadata and summary into the folder.
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
