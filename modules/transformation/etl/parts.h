// The files that `amoskys etl --incremental` adds to its folder: where they lie, what they are
// called, and which of them nobody knows.
//
//   canonical_telemetry_full/date=2024-10-27/part-000007.csv
//   canonical_telemetry_full/date=2024-10-27/device=edge-1/part-000007.csv   --partition
//   date,device
//
// date: of the window's start (UTC). device: its name, what is not a letter, digit, '.', '_' or '-'
// as %XX; a longer one is cut and ends in '~' and a hash. Readers of Hive-style folders take both
// as columns.
#pragma once

#include "modules/transformation/etl/export.h"

namespace amoskys::etl {

struct Partition {
    bool date = true, device = false;
};

// "date=2024-10-27/device=edge-1".
std::string partition_folder(Partition partition, std::string_view device, UnixNanos start_ns);

// Parts of runs after this one, which a run that was killed left.
Result<> remove_leftover_parts(const fs::path& folder, std::uint64_t last_run);

// Writes the rows of a run, a file for each folder; returns names below options.folder and rows.
Result<std::vector<std::pair<std::string, std::uint64_t>>> write_parts(
    const FeatureStore& store, const Layout& layout, const ExportOptions& options,
    Partition partition, std::uint64_t run, const std::function<void(std::uint64_t)>& progress);

}  // namespace amoskys::etl
