#include "modules/tools/inspect/log_access.h"

#include <algorithm>
#include <cerrno>

#include "core/wal/shared.h"
#include "modules/tools/inspect/legacy_log.h"

namespace amoskys::modules::inspect {

std::filesystem::path log_folder(const module::ToolContext& context, const std::string& option) {
    return option.empty() ? context.state_dir / "wal" : std::filesystem::path(option);
}

Result<> require_log_folder(const std::filesystem::path& folder) {
    std::error_code failed;
    const bool there = std::filesystem::is_directory(folder, failed);
    if (failed && failed.value() == EACCES)
        return errno_error("wal_permission", "cannot open the log " + folder.string(), EACCES);
    if (std::filesystem::is_regular_file(folder, failed))
        return make_error(ErrorKind::usage, "wal_is_file",
                          folder.string() + " is a file; this verb reads the folder of a log",
                          "`inspect import` takes the earlier system's log over; summary, events, "
                          "timeline and gaps read it where it is");
    if (!there)
        return make_error(ErrorKind::no_input, "wal_missing", "no log at " + folder.string(),
                          "--state-dir or --log says where it is; a bus makes it, or "
                          "`amoskys inspect import`");
    return {};
}

Result<std::shared_ptr<wal::Log>> open_for_reading(const module::ToolContext& context,
                                                   const std::string& option) {
    const std::filesystem::path folder = log_folder(context, option);
    AMOSKYS_TRY_VOID(require_log_folder(folder));
    return wal::open_reader(folder);
}

Result<std::shared_ptr<wal::Log>> open_any_for_reading(const module::ToolContext& context,
                                                       const std::string& option) {
    std::error_code failed;
    if (!option.empty() && std::filesystem::is_regular_file(option, failed)) {
        AMOSKYS_TRY(log, open_legacy_log(option));
        return std::shared_ptr<wal::Log>(std::move(log));
    }
    return open_for_reading(context, option);
}

Result<wal::Log::Skip> parse_span(const std::string& since, const std::string& until) {
    wal::Log::Skip out;
    const UnixNanos now = system_clock().now_ns();
    if (!since.empty()) {
        AMOSKYS_TRY(time, parse_time(since, now));
        out.since_ns = time;
    }
    if (!until.empty()) {
        AMOSKYS_TRY(time, parse_time(until, now));
        out.until_ns = time;
    }
    if (out.since_ns > out.until_ns)
        return make_error(ErrorKind::usage, "time_range",
                          "--since " + since + " is after --until " + until);
    return out;
}

Result<> walk(wal::Log& log, module::Progress& progress, const Walk& walk) {
    const wal::LogStats stats = log.stats();
    if (stats.records == 0)
        return {};
    WalOffset at{std::max(walk.from.value, stats.oldest.value)};
    Next next = Next::go_on;
    while (next != Next::stop && at <= stats.newest) {
        std::uint64_t bytes = 0;
        const auto visit = [&](const wal::RecordView& record) {
            if (record.header.offset > stats.newest) {
                next = Next::stop;
                return false;
            }
            bytes += record.stored.size();
            next = walk.visit(record);
            return next == Next::go_on && bytes < step_bytes;
        };
        AMOSKYS_TRY(reached, log.read_matching(at, step_records, walk.skip, visit));
        if (reached <= at)
            break;
        at = reached;
        progress.update(std::min(at.value, stats.newest.value + 1) - stats.oldest.value);
        if (walk.between) {
            AMOSKYS_TRY(wanted, walk.between());
            next = next == Next::stop ? next : wanted;
        }
    }
    return {};
}

}  // namespace amoskys::modules::inspect
