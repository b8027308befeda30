// How the verbs reach the log: where it is, opened for reading beside its writer, and read in
// bounded steps so that no read transaction lasts while output waits. One thread.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "core/module/module.h"
#include "core/module/progress.h"
#include "core/wal/log.h"

namespace amoskys::modules::inspect {

// One step of reading: what is read under one transaction of the log.
inline constexpr std::uint64_t step_records = 1024;
inline constexpr std::uint64_t step_bytes = 16ULL << 20;

// --log, else STATE/wal.
std::filesystem::path log_folder(const module::ToolContext& context, const std::string& option);

// no_input "wal_missing", permission, usage "wal_is_file" where no log can be in it.
Result<> require_log_folder(const std::filesystem::path& folder);

// The handle that this process has already, or a new one; errors as above.
Result<std::shared_ptr<wal::Log>> open_for_reading(const module::ToolContext& context,
                                                   const std::string& option);
// Also where it is a file of the earlier system (legacy_log.h).
Result<std::shared_ptr<wal::Log>> open_any_for_reading(const module::ToolContext& context,
                                                       const std::string& option);

// [since, until) from two options; "" leaves that end open.
Result<wal::Log::Skip> parse_span(const std::string& since, const std::string& until);

// Every record that was there at the call and may match, in order. `between` runs with no read
// transaction open: after every pause, and now and then by itself.
enum class Next { go_on, pause, stop };
struct Walk {
    WalOffset from{};
    wal::Log::Skip skip = {};
    std::function<Next(const wal::RecordView&)> visit;
    std::function<Result<Next>()> between = {};
};
Result<> walk(wal::Log& log, module::Progress& progress, const Walk& walk);

}  // namespace amoskys::modules::inspect
