// `amoskys etl --follow`: rows on stdout as their windows close, from a log that grows.
#pragma once

#include "core/json/output.h"
#include "modules/transformation/etl/engine.h"
#include "modules/transformation/etl/etl.h"

namespace amoskys::etl {

// {"schema": "amoskys.feature_row/1", "device_id", "window_start", "window_end", "features": {name:
// value}}; what is missing is not in it.
Json row_json(const module::Window& window, const module::FeatureRow& row,
              std::span<const module::FeatureColumn> columns);

// Reads `source` for as long as it goes on and prints each row when its window closes, with the
// request's engine options and baselines. Ends, well, when the reader of `out` has gone.
Result<> follow(EventSource& source, const RunRequest& request, ByteSink& out);

}  // namespace amoskys::etl
