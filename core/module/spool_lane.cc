// The lane side of the spool: where to go on with a bus, gap markers, new epochs, trimming.
#include "core/base/check.h"
#include "core/log/log.h"
#include "core/module/spool.h"
#include "core/wire/envelope.h"

namespace amoskys::module {

namespace {

constexpr std::string_view component = "spool";
constexpr std::size_t counted_head = 512;  // most that a bus lets be in flight
constexpr auto trim_interval = std::chrono::seconds(1);

}  // namespace

std::uint64_t Spool::first_pending() const {
    return acked_.value + 1;
}

WalOffset Spool::offset_of(SeqNo sequence) const {
    const Piece* found = &pieces_.front();
    for (const Piece& piece : pieces_)
        if (piece.first <= sequence.value)
            found = &piece;
    return {static_cast<std::uint64_t>(static_cast<std::int64_t>(sequence.value) + found->delta)};
}

std::optional<SeqNo> Spool::sequence_at(WalOffset offset) const {
    for (auto piece = pieces_.rbegin(); piece != pieces_.rend(); ++piece) {
        const std::int64_t sequence = static_cast<std::int64_t>(offset.value) - piece->delta;
        if (sequence >= static_cast<std::int64_t>(piece->first))
            return SeqNo{static_cast<std::uint64_t>(sequence)};
    }
    return std::nullopt;
}

Result<std::string> Spool::stored(SeqNo sequence) {
    AMOSKYS_TRY(bytes, log_->read_stored(offset_of(sequence)));
    if (!bytes)
        return make_error(ErrorKind::bad_data, "spool_missing",
                          "spool: envelope " + std::to_string(sequence.value) + " is not there");
    return to_string(*bytes);
}

Result<Bytes> Spool::signature_of(SeqNo sequence) {
    if (sequence.value == 0)
        return epoch_prev_signature_;
    if (sequence == acked_)
        return acked_signature_;
    for (const auto& [first, gap] : gaps_)
        if (gap.marker.last == sequence)
            return gap.marker.last_signature;
    AMOSKYS_TRY(envelope, stored(sequence));
    AMOSKYS_TRY(cut, wire::cut_envelope(as_bytes(envelope)));
    return to_bytes(cut.signature);
}

Result<std::optional<link::Source::Item>> Spool::next(SeqNo after) {
    const SeqNo wanted = after.next();
    if (wanted > durable_)
        return std::optional<Item>();
    Item item;
    const auto gap = gaps_.find(wanted.value);
    if (gap != gaps_.end()) {
        item = {gap->second.marker.last, gap->second.envelope};
    } else {
        AMOSKYS_TRY(envelope, stored(wanted));
        item = {wanted, std::move(envelope)};
    }
    sent_ = std::max(sent_, item.sequence);
    return std::optional<Item>(std::move(item));
}

void Spool::committed(SeqNo last) {
    last = std::min(last, durable_);
    if (last <= acked_)
        return;
    if (Result<Bytes> signature = signature_of(last); signature)
        acked_signature_ = std::move(*signature);
    acked_ = last;
    while (!sizes_.empty() && sizes_.begin()->first <= last.value) {
        stats_.pending_bytes -= sizes_.begin()->second;
        sizes_.erase(sizes_.begin());
    }
    trim();
    wake();
}

// The cursor rides along at most once a second: it may lag, never lead.
void Spool::trim() {
    const auto now = options_.clock->steady();
    if (now - last_trim_ < trim_interval && acked_ < builder_->state().last_sequence)
        return;
    last_trim_ = now;
    wal::WriteRequest request;
    request.states.push_back(acked_state());
    while (!gaps_.empty() && gaps_.begin()->second.marker.last <= acked_) {
        wal::StateUpdate gone = gap_state(gaps_.begin()->second);
        gone.value.clear();
        request.states.push_back(std::move(gone));
        gaps_.erase(gaps_.begin());
    }
    submit(std::move(request));
    const WalOffset before = offset_of(acked_.next());
    writer_->run_between_commits([before](wal::Log& log) {
        if (const Result<std::uint64_t> pruned = log.prune(before); !pruned)
            log::warning(component, "trim_failed", pruned.error().message);
    });
}

Result<> Spool::reject(SeqNo sequence, const std::string& reason) {
    AMOSKYS_TRY(envelope, stored(sequence));
    AMOSKYS_TRY(before, signature_of({sequence.value - 1}));
    AMOSKYS_TRY(cut, wire::cut_envelope(as_bytes(envelope)));
    Gap gap;
    gap.marker = {.first = sequence,
                  .last = sequence,
                  .envelopes = 1,
                  .events = cut.events,
                  .reason = "rejected by the bus: " + reason,
                  .prev_signature = before,
                  .last_signature = to_bytes(cut.signature),
                  .from_ns = cut.first_event_ns,
                  .to_ns = cut.last_event_ns};
    gap.head_events = {cut.events};
    ++stats_.rejected_envelopes;
    log::error(component, "envelope_rejected", reason,
               {{"lane", options_.lane}, {"sequence", sequence.value}});
    return add_gap(std::move(gap));
}

Result<> Spool::add_gap(Gap gap) {
    gap.ts_ns = options_.clock->now_ns();
    AMOSKYS_TRY(envelope, builder_->build_gap(gap.marker, gap.ts_ns));
    gap.envelope = std::move(envelope);
    wal::WriteRequest request;
    request.states.push_back(gap_state(gap));
    AMOSKYS_TRY_VOID(write_now(std::move(request)));
    gaps_[gap.marker.first.value] = std::move(gap);
    return {};
}

Result<> Spool::make_room(std::uint64_t bytes) {
    if (options_.when_full != WhenFull::drop_oldest ||
        stats_.pending_bytes + bytes <= options_.max_bytes)
        return {};
    return drop_oldest(stats_.pending_bytes + bytes - options_.max_bytes + options_.max_bytes / 16);
}

// Replaces the oldest envelopes that no bus can have seen by one gap marker; an adjoining marker
// grows.
Result<> Spool::drop_oldest(std::uint64_t bytes) {
    std::uint64_t first = std::max(acked_, sent_).value + 1;
    Gap gap;
    for (const auto& [start, known] : gaps_)
        if (known.marker.first.value <= first && first <= known.marker.last.value + 1 &&
            known.marker.first > sent_) {
            gap = known;
            first = known.marker.last.value + 1;
        }
    std::uint64_t freed = 0;
    std::uint64_t last = first - 1;
    for (auto size = sizes_.lower_bound(first);
         size != sizes_.end() && freed < bytes && size->first <= durable_.value; ++size) {
        AMOSKYS_TRY(envelope, stored({size->first}));
        AMOSKYS_TRY(cut, wire::cut_envelope(as_bytes(envelope)));
        if (gap.marker.envelopes == 0) {
            AMOSKYS_TRY(before, signature_of({size->first - 1}));
            gap.marker.first = {size->first};
            gap.marker.prev_signature = before;
            gap.marker.from_ns = cut.first_event_ns;
            gap.marker.reason = "spool full: oldest dropped";
        }
        gap.marker.last = {size->first};
        gap.marker.last_signature = to_bytes(cut.signature);
        gap.marker.to_ns = std::max(gap.marker.to_ns, cut.last_event_ns);
        ++gap.marker.envelopes;
        gap.marker.events += cut.events;
        if (gap.head_events.size() < counted_head)
            gap.head_events.push_back(cut.events);
        ++stats_.dropped_envelopes;
        stats_.dropped_events += cut.events;
        freed += size->second;
        last = size->first;
    }
    if (last < first)
        return {};  // all that is there is being sent: the wal's own limit holds
    AMOSKYS_TRY_VOID(add_gap(std::move(gap)));
    for (std::uint64_t sequence = first; sequence <= last; ++sequence)
        sizes_.erase(sequence);
    stats_.pending_bytes -= freed;
    stats_.dropped_bytes += freed;
    log::warning(component, "dropped_oldest", "the spool is full; a gap marker tells the bus",
                 {{"lane", options_.lane}, {"envelopes", last - first + 1}, {"bytes", freed}});
    if (first == first_pending()) {
        const WalOffset before = offset_of({last + 1});
        writer_->run_between_commits([before](wal::Log& log) {
            if (const Result<std::uint64_t> pruned = log.prune(before); !pruned)
                log::warning(component, "trim_failed", pruned.error().message);
        });
    }
    return {};
}

// After a restart the spool does not know what was sent: the bus may have committed the first
// envelopes of a range that was then dropped. The marker is made again for the rest.
Result<> Spool::cut_gap(SeqNo committed, const Bytes& signature) {
    for (auto& [first, gap] : gaps_) {
        if (committed.value < first || committed >= gap.marker.last)
            continue;
        const std::uint64_t taken = committed.value - first + 1;
        if (taken > gap.head_events.size())
            return make_error(ErrorKind::bad_data, "gap_overtaken",
                              "the bus has more of a dropped range than can have been sent");
        Gap rest = gap;
        for (std::uint64_t i = 0; i < taken; ++i)
            rest.marker.events -= rest.head_events[i];
        rest.head_events.erase(rest.head_events.begin(),
                               rest.head_events.begin() + static_cast<std::ptrdiff_t>(taken));
        rest.marker.envelopes -= taken;
        rest.marker.first = committed.next();
        rest.marker.prev_signature = signature;
        wal::WriteRequest request;
        wal::StateUpdate gone = gap_state(gap);
        gone.value.clear();
        request.states.push_back(std::move(gone));
        AMOSKYS_TRY_VOID(write_now(std::move(request)));
        gaps_.erase(first);
        return add_gap(std::move(rest));
    }
    return {};
}

bool Spool::fits(const BusHead& head) {
    if (head.epoch != builder_->state().epoch)
        return acked_.value == 0 && epoch_prev_signature_ == head.signature &&
               head.epoch < builder_->state().epoch;
    if (head.sequence > durable_)
        return false;
    for (const auto& [first, gap] : gaps_)
        if (first <= head.sequence.value && head.sequence < gap.marker.last)
            return head.sequence.value - first < gap.head_events.size();
    const Result<Bytes> signature = signature_of(head.sequence);
    return signature && *signature == head.signature;
}

Result<SeqNo> Spool::resume(const BusHead& head) {
    const bool same_epoch = head.epoch == builder_->state().epoch;
    if (!fits(head)) {
        const std::string why = head.epoch.value == 0 ? "this bus never saw the lane"
                                : same_epoch          ? "the bus's head is not in the spool"
                                                      : "the bus has another epoch of the lane";
        AMOSKYS_TRY_VOID(
            start_epoch(head, same_epoch ? std::min(head.sequence, acked_) : acked_, why));
        return SeqNo{0};
    }
    const SeqNo at = same_epoch ? head.sequence : SeqNo{0};
    AMOSKYS_TRY_VOID(cut_gap(at, head.signature));
    if (at < acked_) {
        log::warning(
            component, "bus_rolled_back",
            "the bus has less than it had acknowledged; what the spool still has is sent again",
            {{"lane", options_.lane}, {"acked", acked_.value}, {"bus", at.value}});
        acked_ = at;
        acked_signature_ = head.signature;
    }
    sent_ = at;
    committed(at);
    return at;
}

// Signs what is pending again in a new epoch that begins at the bus's head.
Result<> Spool::start_epoch(const BusHead& head, SeqNo from, const std::string& why) {
    const Epoch old = builder_->state().epoch;
    AMOSKYS_TRY_VOID(write_now({}));  // what was queued is on disk now
    durable_ = builder_->state().last_sequence;
    std::vector<std::pair<std::uint64_t, std::string>> pending;
    std::vector<Gap> pending_gaps;
    for (std::uint64_t sequence = from.value + 1; sequence <= durable_.value; ++sequence) {
        if (const auto gap = gaps_.find(sequence); gap != gaps_.end()) {
            pending_gaps.push_back(gap->second);
            sequence = gap->second.marker.last.value;
            continue;
        }
        Result<std::string> envelope = stored({sequence});
        if (envelope)  // already trimmed: a former bus has it
            pending.emplace_back(sequence, std::move(*envelope));
    }
    const Epoch next{std::max(old.value, head.epoch.value) + 1};
    AMOSKYS_TRY_VOID(start_lane(head.signature, next));
    log::warning(component, "new_epoch", why,
                 {{"lane", options_.lane},
                  {"old_epoch", old.value},
                  {"new_epoch", builder_->state().epoch.value},
                  {"signed_again", static_cast<std::uint64_t>(pending.size())}});
    return copy_pending(pending, std::move(pending_gaps));
}

Result<> Spool::copy_pending(const std::vector<std::pair<std::uint64_t, std::string>>& old,
                             std::vector<Gap> old_gaps) {
    wal::WriteRequest request;
    for (const auto& [first, gap] : gaps_) {
        wal::StateUpdate gone = gap_state(gap);
        gone.value.clear();
        request.states.push_back(std::move(gone));
    }
    gaps_.clear();
    sizes_.clear();
    stats_.pending_bytes = 0;
    // The losses come first, as one marker each; their sequences hold no records, hence a new map
    // piece.
    for (Gap& gap : old_gaps) {
        wire::WriterState state = builder_->state();
        const std::uint64_t count = gap.marker.last.value - gap.marker.first.value + 1;
        gap.marker.prev_signature = state.last_signature;
        gap.marker.first = state.last_sequence.next();
        gap.marker.last = {state.last_sequence.value + count};
        gap.ts_ns = options_.clock->now_ns();
        AMOSKYS_TRY(envelope, builder_->build_gap(gap.marker, gap.ts_ns));
        gap.envelope = std::move(envelope);
        state.last_sequence = gap.marker.last;
        state.last_signature = gap.marker.last_signature;
        builder_ = std::make_unique<wire::EnvelopeBuilder>(options_.agent_id, options_.lane,
                                                           options_.key, state);
        pieces_.push_back(
            {gap.marker.last.value + 1, static_cast<std::int64_t>(newest_offset_) -
                                            static_cast<std::int64_t>(gap.marker.last.value)});
        request.states.push_back(gap_state(gap));
        gaps_[gap.marker.first.value] = std::move(gap);
    }
    for (const auto& [sequence, envelope] : old) {
        AMOSKYS_TRY(cut, wire::cut_envelope(as_bytes(envelope)));
        AMOSKYS_TRY(again, builder_->build({.kind = cut.payload_kind,
                                            .payload = cut.payload,
                                            .ts_ns = cut.ts_ns,
                                            .idempotency_key = {},
                                            .priority = cut.priority}));
        AMOSKYS_TRY(fresh, wire::cut_envelope(as_bytes(again)));
        wal::OwnedAppend record;
        record.digest = wire::canonical_digest(fresh);
        record.signature = to_string(fresh.signature);
        record.source_hash = wal::source_hash(options_.agent_id, options_.lane, options_.key->id());
        record.first_event_ns = fresh.first_event_ns;
        record.last_event_ns = fresh.last_event_ns;
        sizes_[builder_->state().last_sequence.value] = again.size();
        stats_.pending_bytes += again.size();
        record.stored = std::move(again);
        request.records.push_back(std::move(record));
        ++newest_offset_;
    }
    request.states.push_back({"writer", writer_state()});
    request.states.push_back(acked_state());
    AMOSKYS_TRY_VOID(write_now(std::move(request)));
    durable_ = builder_->state().last_sequence;
    return {};
}

}  // namespace amoskys::module
