// The earlier system's log read where it is, as a log of ours that nobody writes: record number =
// row id, received = the row's ts_ns. It has no tree, no states and no cursors. A row that `import`
// would refuse is a damage of the log, and is left out. One thread.
#pragma once

#include <filesystem>
#include <memory>

#include "core/wal/log.h"

namespace amoskys::modules::inspect {

// Looks at every row once. The errors of LegacyDatabase.
Result<std::unique_ptr<wal::Log>> open_legacy_log(const std::filesystem::path& file);

}  // namespace amoskys::modules::inspect
