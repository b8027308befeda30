// Following: what comes into a log of this machine, read beside its writer, or what a bus gives a
// subscriber. Both print until the reader of the output has gone, the wanted rows are there, or the
// process ends.
#pragma once

#include <filesystem>

#include "modules/tools/inspect/event_rows.h"

namespace amoskys::modules::inspect {

struct Follow {
    WalOffset from;
    wal::Log::Skip skip;
    std::uint64_t stop_after = 0;  // rows; 0 = never
};

// Woken by the writes to the folder's files (inotify), and once a second.
Result<> follow_log(wal::Log& log, const std::filesystem::path& folder, const Follow& follow,
                    Rows& rows, Printer& printer);

// Through SUBSCRIBE with the identity of an agent. Begins at --since, else with what --cursor has,
// else at `from` (0: with what comes). With options.follow it goes on and reconnects.
Result<> read_from_bus(module::ToolContext& context, const EventsOptions& options, WalOffset from);

}  // namespace amoskys::modules::inspect
