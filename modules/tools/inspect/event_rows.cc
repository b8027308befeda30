#include "modules/tools/inspect/event_rows.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/base/text.h"
#include "core/wal/zone.h"
#include "modules/tools/inspect/envelope_text.h"
#include "modules/tools/inspect/log_access.h"

namespace amoskys::modules::inspect {

namespace {

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

// "2026-11-26T01:02:03.000000000Z INFO router-1 snmp ifInOctets[2]=17 bytes"
std::string event_line(const Json& row) {
    std::string out;
    for (const auto* name : {"time", "severity", "device", "source", "kind"})
        if (const auto word = row.value(name, std::string()); word != "metric")
            out += printable(word) + " ";
    return out + printable(wire::event_text(row)) + "\n";
}

}  // namespace

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

void Rows::add(const wal::RecordView& record, std::deque<Json>& out, std::uint64_t limit) {
    const auto take = [&](const wire::Event& event) {
        if (!filter_.matches(event))
            return true;
        out.push_back(full_ ? envelope_json(record) : wire::event_json(event));
        return !full_ && out.size() < limit;
    };
    decoder_.decode_record(record.header.kind, record.stored, record.header.digest,
                           record.header.offset.value, take);
}

Result<Printer> Printer::open(module::ToolContext& context, const EventsOptions& options) {
    Printer out;
    out.sink_ = &context.out;
    out.full_ = options.full;
    const auto format = context.output.format;
    if (options.follow && (format == OutputFormat::json || format == OutputFormat::yaml))
        return make_error(ErrorKind::usage, "follow_format",
                          "following has no end, and JSON and YAML lists have one",
                          "-o ndjson is an object a line");
    if (format == OutputFormat::table && (options.full || options.follow))
        return out;
    AMOSKYS_TRY(rows, RowOutput::open(context.out, context.output,
                                      options.full ? envelope_noun : wire::event_noun));
    out.rows_ = std::move(rows);
    return out;
}

bool Printer::print(const Json& row) {
    if (rows_)
        return rows_->row(row);
    errno = 0;
    return noted(sink_->write(full_ ? envelope_table_text(row) : event_line(row)));
}

bool Printer::flush() {
    errno = 0;
    return noted(sink_->flush());
}

bool Printer::noted(bool written) {
    if (!written && failed_ == 0)
        failed_ = errno;
    return written;
}

Result<> Printer::finish() {
    if (rows_)
        return rows_->finish();
    flush();
    if (failed_ != 0 && failed_ != EPIPE)
        return errno_error("output_write", "cannot write the output", failed_);
    return {};
}

}  // namespace amoskys::modules::inspect
