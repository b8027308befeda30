// Rows of events: the filter that the options of `events` and `tail` make, the rows of a record,
// and where they are printed. Used by events.cc (a log to its end) and follow.cc (what comes). One
// thread.
#pragma once

#include <deque>
#include <memory>

#include "core/wal/log.h"
#include "core/wire/event.h"
#include "modules/tools/inspect/inspect_verbs.h"

namespace amoskys::modules::inspect {

// usage error for a word that is none; `skip` is what the log can skip by.
Result<wire::EventFilter> make_filter(const EventsOptions& options, wal::Log::Skip& skip);

// Turns records into rows: one per event, or with --full one per envelope that holds a match.
class Rows {
  public:
    Rows(const EventsOptions& options, wire::EventFilter filter)
        : filter_(std::move(filter)), full_(options.full) {}

    // Appends the rows of a record; stops where `out` has `limit` rows.
    void add(const wal::RecordView& record, std::deque<Json>& out, std::uint64_t limit);
    const wire::DecodeCounts& counts() const { return decoder_.counts(); }

  private:
    wire::EventDecoder decoder_;
    wire::EventFilter filter_;
    bool full_;
};

// What is printed: rows, or with --full as a table the text of the envelopes. While following, a
// table is lines of text (a table's widths wait for rows that are not there yet), and all is
// flushed.
class Printer {
  public:
    static Result<Printer> open(module::ToolContext& context, const EventsOptions& options);
    bool print(const Json& row);  // false: the output cannot be written; finish() says whether
                                  // that is a failure
    bool flush();
    Result<> finish();

  private:
    bool noted(bool written);

    std::unique_ptr<RowOutput> rows_;
    ByteSink* sink_ = nullptr;
    bool full_ = false;
    int failed_ = 0;  // errno of lines that could not be written
};

}  // namespace amoskys::modules::inspect
