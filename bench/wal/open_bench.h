// How long a log of 10 GB takes to open: the generator of such a log, and the measurement.
#pragma once

#include <filesystem>

#include "bench/measure.h"
#include "bench/records.h"

namespace amoskys::bench {

// Rows: opening for writing with the log's pages out of the page cache, and again with them in it.
// The log is made in `folder` (which takes its size; $AMOSKYS_BENCH_OPEN_GB, 10) and removed.
std::vector<Row> open_rows(const std::filesystem::path& folder, const Signed& from);

}  // namespace amoskys::bench
