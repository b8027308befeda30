// `amoskys etl --incremental`: the windows that closed since the run before, as further files.
//
//   OUT/manifest.json            what is there and where the next run goes on; manifest.h
//   OUT/canonical_telemetry_full/date=YYYY-MM-DD/part-000007.csv
//                                rows of run 7; parts.h; .parquet with --format parquet
//   OUT/position-12345.state     what the engine held after record 12345
//
// Exactly once: a run writes its parts and its state, each whole under a name of its own, then
// renames the manifest into place. What a run that was killed before that left behind is in no
// manifest; the next run removes it. A window is written once it cannot change any more: its device
// has shown a sample `lateness` after its end.
//
// The next run reads the log from the manifest's position on, with counters, disorder and rolling
// values as they were, so that the rows are those of a single run, bit for bit. Where the position
// is of no use (another log, other --device or --since, a state that is gone or damaged, records
// that were removed) the log is read from its beginning and rows that were written are not written
// again. Baselines are learned in the first run that has rows, and kept.
#pragma once

#include "core/json/output.h"
#include "modules/transformation/etl/etl.h"
#include "modules/transformation/etl/manifest.h"

namespace amoskys::etl {

// Returns {"run", "rows", "files": [names], "devices"}: of this run; run stays where no window has
// closed. bad_data where the folder was made with other settings.
Result<Json> run_incremental(EventSource& source, const RunRequest& request);

// Goes on for as long as the source does: reads what is new after each `every`, and prints what
// run_incremental() returns, as NDJSON, for each run that has rows. The engine stays in memory.
Result<> follow_incremental(EventSource& source, const RunRequest& request, Duration every,
                            ByteSink& out);

}  // namespace amoskys::etl
