// `inspect events` and `inspect tail`: the events of the log as rows, or with --full the envelopes
// they stand in; to the end of the log, or following it (follow.h).
#include <algorithm>
#include <deque>

#include "core/wal/record.h"
#include "core/wal/zone.h"
#include "modules/tools/inspect/event_rows.h"
#include "modules/tools/inspect/follow.h"
#include "modules/tools/inspect/log_access.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::uint64_t newest_default = 10;
constexpr std::uint64_t newest_max = 1'000'000;
constexpr std::size_t rows_at_once = 2048;

// Rows are printed with no read transaction open: the reader of a pipe may take its time.
Result<> print_in_order(wal::Log& log, module::Progress& progress, const EventsOptions& options,
                        Walk step, Rows& rows, Printer& printer) {
    const std::uint64_t limit = options.limit == 0 ? UINT64_MAX : options.limit;
    std::deque<Json> pending;
    std::uint64_t printed = 0;
    step.visit = [&](const wal::RecordView& record) {
        rows.add(record, pending, limit - printed);
        if (printed + pending.size() >= limit)
            return Next::stop;
        return pending.size() >= rows_at_once ? Next::pause : Next::go_on;
    };
    step.between = [&]() -> Result<Next> {
        for (const Json& row : pending)
            if (!printer.print(row))
                return Next::stop;
        printed += pending.size();
        pending.clear();
        return Next::go_on;
    };
    return walk(log, progress, step);
}

// From the end backwards, a zone's worth of records at a time, until enough match.
Result<> print_newest(wal::Log& log, const EventsOptions& options, std::uint64_t limit,
                      const wal::Log::Skip& skip, Rows& rows, Printer& printer) {
    const wal::LogStats stats = log.stats();
    std::deque<Json> found;
    std::uint64_t end = stats.newest.value + 1;
    const std::uint64_t oldest = std::max(options.offset, stats.oldest.value);
    while (stats.records != 0 && end > oldest && found.size() < limit) {
        const std::uint64_t begin = std::max(oldest, wal::zone_first_offset(wal::zone_of(end - 1)));
        std::deque<Json> part;
        const auto visit = [&](const wal::RecordView& record) {
            if (record.header.offset.value >= end)
                return false;
            rows.add(record, part, UINT64_MAX);
            while (part.size() > limit)
                part.pop_front();
            return true;
        };
        AMOSKYS_TRY_VOID(log.read_matching({begin}, end - begin, skip, visit));
        for (; !part.empty() && found.size() < limit; part.pop_back())
            found.push_front(std::move(part.back()));
        end = begin;
    }
    for (const Json& row : found)
        if (!printer.print(row))
            break;
    return {};
}

// Exit 3 where something that was looked at could not be read.
Result<> unreadable(const wire::DecodeCounts& counts, wal::Log& log) {
    const std::size_t damaged = log.damages().size();
    if (counts.malformed_envelopes + counts.malformed_events + counts.altered_envelopes + damaged ==
        0)
        return {};
    return make_error(ErrorKind::partial, "records_unreadable",
                      "not all could be read: " + std::to_string(counts.altered_envelopes) +
                          " envelopes are altered, " + std::to_string(counts.malformed_envelopes) +
                          " envelopes and " + std::to_string(counts.malformed_events) +
                          " events are malformed, " + std::to_string(damaged) +
                          " ranges of the log are damaged",
                      damaged == 0 ? "" : "`amoskys inspect gaps` lists the damaged ranges");
}

Result<> check(const EventsOptions& options) {
    if (options.newest && options.limit > newest_max)
        return make_error(ErrorKind::usage, "limit",
                          "--limit " + std::to_string(options.limit) + " with --newest: at most " +
                              std::to_string(newest_max) + " are held in memory");
    if (!options.bus.empty() && !options.log.empty())
        return make_error(ErrorKind::usage, "log_and_bus",
                          "--log and --bus: a folder here, or a bus, not both");
    if (options.bus.empty() && !(options.cursor.empty() && options.agent.empty()))
        return make_error(ErrorKind::usage, "needs_bus",
                          "--cursor and --agent are for reading from a bus (--bus ADDRESS)");
    return {};
}

// The log of this machine: `past` rows back from the end (nothing: all from --offset on), then
// what comes where options.follow says so.
Result<> print_local(module::ToolContext& context, const EventsOptions& options,
                     std::optional<std::uint64_t> past, std::uint64_t stop_after) {
    Walk step;
    AMOSKYS_TRY(filter, make_filter(options, step.skip));
    AMOSKYS_TRY(printer, Printer::open(context, options));
    AMOSKYS_TRY(log, options.follow ? open_for_reading(context, options.log)
                                    : open_any_for_reading(context, options.log));
    Rows rows(options, std::move(filter));
    step.from = WalOffset{options.offset};
    module::Progress progress(false, "reading", "records", 0);  // rows are the progress
    if (options.follow) {
        const auto newest = log->stats().newest;
        if (past)
            AMOSKYS_TRY_VOID(print_newest(*log, options, *past, step.skip, rows, printer));
        const Follow follow{
            past ? newest.next() : WalOffset{std::max<std::uint64_t>(options.offset, 1)}, step.skip,
            stop_after};
        AMOSKYS_TRY_VOID(follow_log(*log, log_folder(context, options.log), follow, rows, printer));
    } else if (past) {
        AMOSKYS_TRY_VOID(print_newest(*log, options, *past, step.skip, rows, printer));
    } else {
        AMOSKYS_TRY_VOID(print_in_order(*log, progress, options, step, rows, printer));
    }
    AMOSKYS_TRY_VOID(printer.finish());
    return unreadable(rows.counts(), *log);
}

}  // namespace

Result<> events(module::ToolContext& context) {
    const auto& options = *static_cast<const EventsOptions*>(context.config.get());
    AMOSKYS_TRY_VOID(check(options));
    if (!options.bus.empty() && options.newest)
        return make_error(ErrorKind::usage, "newest_and_bus",
                          "--newest reads a log backwards; a bus gives records in order",
                          "--since says from when, --offset from where");
    if (!options.bus.empty())
        return read_from_bus(context, options,
                             WalOffset{std::max<std::uint64_t>(options.offset, 1)});
    std::optional<std::uint64_t> past;
    if (options.newest)
        past = options.limit == 0 ? newest_default : options.limit;
    return print_local(context, options, past, options.newest ? 0 : options.limit);
}

Result<> tail(module::ToolContext& context) {
    const auto& options = *static_cast<const EventsOptions*>(context.config.get());
    AMOSKYS_TRY_VOID(check(options));
    if (!options.bus.empty())
        return read_from_bus(context, options, {});
    return print_local(context, options, options.lines, options.limit);
}

std::shared_ptr<void> make_tail_options() {
    auto out = std::make_shared<EventsOptions>();
    out->follow = true;
    return out;
}

}  // namespace amoskys::modules::inspect
