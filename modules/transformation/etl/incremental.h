// `amoskys etl --incremental`: the windows that closed since the run before, as further files.
//
//   OUT/manifest.json                                            what is there; see below
//   OUT/canonical_telemetry_full/date=YYYY-MM-DD/part-000007.csv   rows of run 7 whose window
//                                                                begins on that day (UTC);
//                                                                .parquet with --format parquet
//
// manifest: {"schema": "amoskys.etl_manifest/1", "run", "settings": {...}, "devices": {device: end
// of its last window, ns}, "files": [{"name", "rows"}], "baselines": {...}}
//
// Exactly once: a run writes its files, each under a temporary name first, then renames the
// manifest into place. What a run that was killed before that left behind has a number above the
// manifest's; the next run removes it. A window is written once it cannot change any more: its
// device has shown a sample `lateness` after its end.
//
// The log is read from its beginning each time, so that counters, disorder and rolling values are
// those of a single run, bit for bit; rows that were written are not written again. Baselines are
// learned in the first run and kept.
#pragma once

#include "modules/transformation/etl/etl.h"

namespace amoskys::etl {

inline constexpr std::string_view manifest_name = "manifest.json";

struct Manifest {
    std::uint64_t run = 0;
    Json settings;                                             // of the windows; runs must agree
    std::map<std::string, UnixNanos, std::less<>> until;       // by device
    std::vector<std::pair<std::string, std::uint64_t>> files;  // name below the folder, rows
    Baselines baselines;
};
Json to_json(const Manifest& manifest);
// bad_data where `saved` is not what to_json() makes; `where` names it.
Result<Manifest> manifest_from_json(const Json& saved, const std::string& where);

// Returns {"run", "rows", "files": [names], "devices"}: of this run; run stays where no window has
// closed. bad_data where the folder was made with other settings.
Result<Json> run_incremental(EventSource& source, const RunRequest& request);

}  // namespace amoskys::etl
