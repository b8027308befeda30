// `inspect events`: the events of the log as rows, or with --full the envelopes they stand in.
#include <algorithm>
#include <array>
#include <deque>

#include "core/base/text.h"
#include "core/wal/record.h"
#include "core/wal/zone.h"
#include "core/wire/event.h"
#include "modules/tools/inspect/envelope_text.h"
#include "modules/tools/inspect/inspect_verbs.h"
#include "modules/tools/inspect/log_access.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::uint64_t newest_default = 10;
constexpr std::uint64_t newest_step_records = 256;
constexpr std::uint64_t newest_max = 1'000'000;
constexpr std::size_t rows_at_once = 2048;

Result<> check_words(std::string_view option, const std::vector<std::string>& words,
                     std::span<const std::string_view> allowed) {
    for (const std::string& word : words) {
        if (std::ranges::find(allowed, word) != allowed.end())
            continue;
        std::string list;
        for (const auto& each : allowed)
            list += (list.empty() ? "" : ", ") + std::string(each);
        const auto near = nearest(word, allowed);
        return make_error(
            ErrorKind::usage, "unknown_" + std::string(option),
            "--" + std::string(option) + " '" + printable(word) + "': allowed are " + list,
            near.empty() ? "" : "did you mean " + std::string(near) + "?");
    }
    return {};
}

Result<wire::EventFilter> make_filter(const EventsOptions& options, wal::Log::Skip& skip) {
    std::array<std::string_view, 9> kinds;
    for (std::size_t i = 0; i < kinds.size(); ++i)
        kinds[i] = wire::event_kind_name(static_cast<wire::EventKind>(i));
    AMOSKYS_TRY_VOID(check_words("kind", options.kind, kinds));
    AMOSKYS_TRY(span, parse_span(options.since, options.until));
    skip = span;
    if (options.device.size() == 1 &&
        options.device.front().find_first_of("*?") == std::string::npos)
        skip.device_hash = wal::device_hash(options.device.front());
    wire::EventFilter filter;
    filter.since_ns = span.since_ns;
    filter.until_ns = span.until_ns;
    filter.devices = options.device;
    filter.metrics = options.metric;
    filter.kinds = options.kind;
    filter.sources = options.source;
    filter.severities = options.severity;
    return filter;
}

// Turns records into rows: one per event, or with --full one per envelope that holds a match.
class Rows {
  public:
    Rows(const EventsOptions& options, wire::EventFilter filter)
        : filter_(std::move(filter)), full_(options.full) {}

    // Appends the rows of a record; stops where `out` has `limit` rows.
    template <class List>
    void add(const wal::RecordView& record, List& out, std::uint64_t limit) {
        const auto take = [&](const wire::Event& event) {
            if (!filter_.matches(event))
                return true;
            out.push_back(full_ ? envelope_json(record) : wire::event_json(event));
            return !full_ && out.size() < limit;
        };
        decoder_.decode_record(record.header.kind, record.stored, record.header.digest,
                               record.header.offset.value, take);
    }
    const wire::DecodeCounts& counts() const { return decoder_.counts(); }

  private:
    wire::EventDecoder decoder_;
    wire::EventFilter filter_;
    bool full_;
};

// What is printed: rows, or with --full as a table the text of the envelopes.
class Printer {
  public:
    static Result<Printer> open(module::ToolContext& context, bool full) {
        Printer out;
        if (full && context.output.format == OutputFormat::table) {
            out.sink_ = &context.out;
            return out;
        }
        AMOSKYS_TRY(rows, RowOutput::open(context.out, context.output,
                                          full ? envelope_noun : wire::event_noun));
        out.rows_ = std::move(rows);
        return out;
    }
    bool print(const Json& row) {
        return rows_ ? rows_->row(row) : sink_->write(envelope_table_text(row));
    }
    Result<> finish() {
        if (rows_)
            return rows_->finish();
        sink_->flush();
        return {};
    }

  private:
    std::unique_ptr<RowOutput> rows_;
    ByteSink* sink_ = nullptr;
};

// Rows are printed with no read transaction open: the reader of a pipe may take its time.
Result<> print_in_order(wal::Log& log, module::Progress& progress, const EventsOptions& options,
                        Walk step, Rows& rows, Printer& printer) {
    const std::uint64_t limit = options.limit == 0 ? UINT64_MAX : options.limit;
    std::vector<Json> pending;
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
Result<> print_newest(wal::Log& log, const EventsOptions& options, const wal::Log::Skip& skip,
                      Rows& rows, Printer& printer) {
    const std::uint64_t limit = options.limit == 0 ? newest_default : options.limit;
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

}  // namespace

Result<> events(module::ToolContext& context) {
    const auto& options = *static_cast<const EventsOptions*>(context.config.get());
    Walk step;
    AMOSKYS_TRY(filter, make_filter(options, step.skip));
    if (options.newest && options.limit > newest_max)
        return make_error(ErrorKind::usage, "limit",
                          "--limit " + std::to_string(options.limit) + " with --newest: at most " +
                              std::to_string(newest_max) + " are held in memory");
    AMOSKYS_TRY(printer, Printer::open(context, options.full));
    AMOSKYS_TRY(log, open_for_reading(context, options.log));
    Rows rows(options, std::move(filter));
    step.from = WalOffset{options.offset};
    module::Progress progress(false, "reading", "records", 0);  // rows are the progress
    AMOSKYS_TRY_VOID(options.newest ? print_newest(*log, options, step.skip, rows, printer)
                                    : print_in_order(*log, progress, options, step, rows, printer));
    AMOSKYS_TRY_VOID(printer.finish());
    return unreadable(rows.counts(), *log);
}

}  // namespace amoskys::modules::inspect
