#include "core/link/deliver_read.h"

#include <algorithm>

#include "core/wire/frame.h"
#include "core/wire/stored_form.h"

namespace amoskys::link {
namespace {

// What a DELIVER adds to its envelope, at most.
constexpr std::size_t frame_overhead_bytes = 64;

class Step {
  public:
    Step(const ReadStep& step, ReadResult& out)
        : step_(step), out_(out), until_(std::chrono::steady_clock::now() + read_step_time) {}

    // False: the step ends. Not before the record where it was not taken.
    bool visit(const wal::RecordView& record) {
        const auto offset = record.header.offset;
        if (record.stored.size() + frame_overhead_bytes > wire::default_max_frame_bytes ||
            !wire::stored_intact(record.header.kind, record.stored, record.header.digest)) {
            ++out_.damaged;
        } else if (step_.filter->lets_through(record)) {
            if (record.stored.size() > step_.credit_bytes - out_.bytes) {
                out_.starved_bytes = record.stored.size();
                return false;
            }
            give(record);
        }
        out_.next = offset.next();
        full_ = out_.envelopes >= step_.max_envelopes || out_.bytes >= step_.max_bytes ||
                std::chrono::steady_clock::now() >= until_;
        return !full_;
    }
    bool full() const { return full_; }

  private:
    void give(const wal::RecordView& record) {
        wire::DeliverView view;
        view.request_id = step_.request_id;
        view.offset = record.header.offset;
        view.received_ns = record.header.received_ns;
        view.kind = record.header.kind;
        view.envelope = record.stored;
        out_.frames += wire::encode_deliver_prefix(view);
        out_.frames += as_text(record.stored);
        ++out_.envelopes;
        out_.bytes += record.stored.size();
    }

    const ReadStep& step_;
    ReadResult& out_;
    const std::chrono::steady_clock::time_point until_;
    bool full_ = false;
};

}  // namespace

Result<WalOffset> find_received(wal::Log& log, UnixNanos time_ns) {
    const auto stats = log.stats();
    std::uint64_t low = std::max<std::uint64_t>(stats.oldest.value, 1);
    std::uint64_t high = stats.newest.value + 1;
    while (low < high) {
        const auto middle = low + (high - low) / 2;
        std::uint64_t found = high;  // damaged up to the end of the range
        bool before = false;
        AMOSKYS_TRY_VOID(log.read({middle}, 1, [&](const wal::RecordView& record) {
            found = record.header.offset.value;
            before = record.header.received_ns < time_ns;
            return false;
        }));
        if (found < high && before)
            low = found + 1;
        else
            high = middle;
    }
    return WalOffset{low};
}

ReadResult read_step(wal::Log& log, const ReadStep& step) {
    ReadResult out;
    const auto stats = log.stats();
    out.oldest = stats.oldest;
    out.newest = stats.newest;
    out.next = step.from;
    if (step.from.value == 0) {
        auto found = find_received(log, step.from_time_ns);
        if (!found) {
            out.error = found.error();
            return out;
        }
        out.next = *found;
    }
    Step taking(step, out);
    // Zone by zone where the filter skips: what is skipped shows only in the position returned.
    const auto reached =
        log.read_matching(out.next, UINT64_MAX, step.filter->skip(),
                          [&](const wal::RecordView& record) { return taking.visit(record); });
    if (!reached) {
        out.error = reached.error();
        return out;
    }
    if (out.starved_bytes == 0 && !taking.full()) {
        out.next = *reached;
        out.at_end = true;
    }
    return out;
}

}  // namespace amoskys::link
