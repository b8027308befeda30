// A new epoch of the spool's lane: what no bus has is signed again from the bus's head on. It is
// written in steps of bounded size behind what is there; the state turns to it with the last step,
// so that a crash in between leaves the old epoch as it was.
#include <algorithm>

#include "core/log/log.h"
#include "core/module/spool.h"
#include "core/wire/envelope.h"

namespace amoskys::module {

namespace {

constexpr std::uint64_t step_bytes = 8 << 20;
constexpr std::size_t reason_bytes_max = 256;

}  // namespace

struct Spool::Draft {
    std::unique_ptr<wire::EnvelopeBuilder> builder;
    std::vector<Piece> pieces;
    std::map<std::uint64_t, Gap> gaps;
    std::map<std::uint64_t, std::uint64_t> sizes;
    std::uint64_t pending_bytes = 0, newest_offset = 0, envelopes = 0;
    Digest digest{};
    std::string reason;
    Bytes begins_after;  // prev_sig of the first envelope
    wal::WriteRequest step;
    std::uint64_t step_size = 0;
};

// The losses come first, as one marker each; their sequences hold no records, hence a new map
// piece.
Result<> Spool::copy_gap(Draft& draft, Gap gap) {
    wire::WriterState state = draft.builder->state();
    const std::uint64_t count = gap.marker.last.value - gap.marker.first.value + 1;
    gap.marker.epoch_reason = state.last_sequence.value == 0 ? draft.reason : "";
    gap.marker.prev_signature = state.last_signature;
    gap.marker.first = state.last_sequence.next();
    gap.marker.last = {state.last_sequence.value + count};
    gap.ts_ns = options_.clock->now_ns();
    AMOSKYS_TRY(envelope, draft.builder->build_gap(gap.marker, gap.ts_ns));
    gap.envelope = std::move(envelope);
    AMOSKYS_TRY(cut, wire::cut_envelope(as_bytes(gap.envelope)));
    draft.digest = wire::canonical_digest(cut);
    state.last_sequence = gap.marker.last;
    state.last_signature = gap.marker.last_signature;
    draft.builder = std::make_unique<wire::EnvelopeBuilder>(options_.agent_id, options_.lane,
                                                            options_.key, state);
    draft.pieces.push_back(
        {gap.marker.last.value + 1, static_cast<std::int64_t>(draft.newest_offset) -
                                        static_cast<std::int64_t>(gap.marker.last.value)});
    draft.gaps[gap.marker.first.value] = std::move(gap);
    return {};
}

Result<> Spool::copy_envelope(Draft& draft, SeqNo sequence) {
    const Result<std::string> old = stored(sequence);
    if (!old && old.error().kind != ErrorKind::bad_data)
        return old.error();
    const auto readable = wire::cut_envelope(as_bytes(old ? std::string_view(*old) : ""));
    if (!readable) {
        ++stats_.unreadable_envelopes;
        Gap gap;
        gap.marker = {.first = sequence,
                      .last = sequence,
                      .envelopes = 1,
                      .events = 0,
                      .reason = "the agent's spool is damaged: not readable",
                      .prev_signature = {},
                      .last_signature = Bytes(wire::signature_bytes)};
        return copy_gap(draft, std::move(gap));
    }
    const wire::CutEnvelope& cut = *readable;
    const bool first = draft.builder->state().last_sequence.value == 0;
    AMOSKYS_TRY(again, draft.builder->build({.kind = cut.payload_kind,
                                             .payload = cut.payload,
                                             .ts_ns = cut.ts_ns,
                                             .idempotency_key = std::string(cut.idempotency_key),
                                             .priority = cut.priority,
                                             .requires_acknowledgment = cut.requires_acknowledgment,
                                             .hint_no_compress = cut.hint_no_compress,
                                             .epoch_reason = first ? std::string_view(draft.reason)
                                                                   : std::string_view()}));
    const std::string& view = again;
    AMOSKYS_TRY(fresh, wire::cut_envelope(as_bytes(view)));
    wal::OwnedAppend record = record_of({}, fresh);
    record.stored = std::move(again);
    draft.digest = record.digest;
    draft.sizes[draft.builder->state().last_sequence.value] = record.stored.size();
    draft.pending_bytes += record.stored.size();
    draft.step_size += record.stored.size();
    draft.step.records.push_back(std::move(record));
    ++draft.newest_offset;
    ++draft.envelopes;
    return draft.step_size < step_bytes ? Result<>() : write_draft(draft);
}

Result<> Spool::write_draft(Draft& draft) {
    const std::uint64_t records = draft.step.records.size();
    const Result<> written = write_now(std::exchange(draft.step, {}));
    draft.step_size = 0;
    if (written)
        newest_offset_ += records;
    return written;
}

// All of the new epoch in the log; the state turns to it with the last step.
Result<> Spool::write_epoch(Draft& draft, Restart restart) {
    if (restart.lost)
        AMOSKYS_TRY_VOID(copy_gap(draft, std::move(*restart.lost)));
    for (const auto& [first, gap] : gaps_)
        if (gap.marker.last > restart.from)
            AMOSKYS_TRY_VOID(copy_gap(draft, gap));
    for (const auto* from : {&kept_, &sizes_})
        for (auto at = from->upper_bound(restart.from.value); at != from->end(); ++at)
            AMOSKYS_TRY_VOID(copy_envelope(draft, {at->first}));
    for (const auto& [first, gap] : gaps_) {
        wal::StateUpdate gone = gap_state(gap);
        gone.value.clear();
        draft.step.states.push_back(std::move(gone));
    }
    for (const auto& [first, gap] : draft.gaps)
        draft.step.states.push_back(gap_state(gap));
    draft.step.states.push_back({"writer", writer_state(draft.builder->state(), draft.begins_after,
                                                        draft.reason, draft.pieces)});
    return write_draft(draft);
}

Result<> Spool::start_epoch(const BusHead& head, Restart restart) {
    AMOSKYS_TRY_VOID(settle());
    const Epoch old = builder_->state().epoch;
    const Epoch next{
        std::max({options_.clock->now_ns() / 1'000'000, old.value + 1, head.epoch.value + 1})};
    Draft draft;
    draft.reason = restart.why.substr(0, reason_bytes_max);
    draft.begins_after = head.signature;
    draft.newest_offset = newest_offset_;
    draft.pieces = {{1, static_cast<std::int64_t>(newest_offset_)}};
    draft.builder =
        std::make_unique<wire::EnvelopeBuilder>(options_.agent_id, options_.lane, options_.key,
                                                wire::WriterState{next, {0}, head.signature});
    const Result<> written = write_epoch(draft, std::move(restart));
    if (!written) {  // the old epoch goes on, behind what was written of the new one
        const std::uint64_t last = builder_->state().last_sequence.value;
        pieces_.push_back({last + 1, static_cast<std::int64_t>(newest_offset_) -
                                         static_cast<std::int64_t>(last)});
        return written;
    }
    log::warning(Spool::log_component, "new_epoch", draft.reason,
                 {{"lane", options_.lane},
                  {"old_epoch", old.value},
                  {"new_epoch", next.value},
                  {"signed_again", draft.envelopes}});
    builder_ = std::move(draft.builder);
    epoch_prev_signature_ = head.signature;
    epoch_reason_ = draft.reason;
    pieces_ = std::move(draft.pieces);
    gaps_ = std::move(draft.gaps);
    sizes_ = std::move(draft.sizes);
    stats_.pending_bytes = draft.pending_bytes;
    kept_.clear();
    stats_.kept_bytes = 0;
    durable_ = builder_->state().last_sequence;
    durable_digest_ = draft.digest;
    acked_ = sent_ = {0};
    acked_signature_.clear();
    ++stats_.epochs_started;
    submit_states({acked_state()});
    prune_before(offset_of({1}));
    wake();
    return {};
}

}  // namespace amoskys::module
