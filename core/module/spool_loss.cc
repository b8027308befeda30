// What a lane loses, and the signed markers that say so: envelopes dropped by a full spool, refused
// for good by the bus, or unreadable on the disk.
#include <algorithm>

#include "core/log/log.h"
#include "core/module/quarantine.h"
#include "core/module/spool.h"
#include "core/wire/envelope.h"

namespace amoskys::module {

namespace {

constexpr std::size_t counted_head = 512;  // most that a bus lets be in flight

}  // namespace

Result<> Spool::reject(SeqNo sequence, const std::string& reason) {
    for (const auto& [first, gap] : gaps_)
        if (gap.marker.last == sequence)
            return make_error(ErrorKind::unavailable, "gap_refused",
                              "the bus refuses the gap marker for sequences " +
                                  std::to_string(first) + " to " + std::to_string(sequence.value) +
                                  ": " + reason);
    AMOSKYS_TRY(envelope, stored(sequence));
    AMOSKYS_TRY(before, signature_of({sequence.value - 1}));
    AMOSKYS_TRY(cut, wire::cut_envelope(as_bytes(envelope)));
    // Kept first: with the marker on disk the lane goes on without it. Until it can be kept (a full
    // disk) the lane tries again.
    const Result<> kept = quarantine(options_.folder, {.lane = {options_.agent_id, options_.lane},
                                                       .epoch = builder_->state().epoch,
                                                       .sequence = sequence,
                                                       .time_ns = options_.clock->now_ns(),
                                                       .reason = reason,
                                                       .events = cut.events,
                                                       .envelope = envelope});
    if (!kept)
        return make_error(ErrorKind::unavailable, "quarantine_write", kept.error().message);
    Gap gap;
    gap.marker = {.first = sequence,
                  .last = sequence,
                  .envelopes = 1,
                  .events = cut.events,
                  .reason = "rejected by the bus: " + reason,
                  .prev_signature = before,
                  .last_signature = to_bytes(cut.signature),
                  .from_ns = cut.first_event_ns,
                  .to_ns = cut.last_event_ns,
                  .epoch_reason = std::string(cut.epoch_reason)};
    gap.head_events = {cut.events};
    ++stats_.rejected_envelopes;
    log::error(Spool::log_component, "envelope_quarantined", reason,
               {{"lane", options_.lane}, {"sequence", sequence.value}});
    AMOSKYS_TRY_VOID(add_gap(std::move(gap)));
    if (const auto size = sizes_.find(sequence.value); size != sizes_.end()) {
        stats_.pending_bytes -= size->second;
        sizes_.erase(size);
    }
    return {};
}

Result<> Spool::add_gap(Gap gap) {
    gap.ts_ns = options_.clock->now_ns();
    AMOSKYS_TRY(envelope, builder_->build_gap(gap.marker, gap.ts_ns));
    gap.envelope = std::move(envelope);
    wal::WriteRequest request;
    request.states.push_back(gap_state(gap));
    AMOSKYS_TRY_VOID(write_now(std::move(request)));
    if (gap.marker.last == durable_)
        if (const auto cut = wire::cut_envelope(as_bytes(gap.envelope)))
            durable_digest_ = wire::canonical_digest(*cut);
    gaps_[gap.marker.first.value] = std::move(gap);
    return {};
}

// From `first` on up to the next envelope that can be read: that one knows the signature before it.
Result<> Spool::lose_unreadable(SeqNo first) {
    SeqNo last = first;
    Bytes signature;
    for (; last < durable_; last = last.next()) {
        if (const auto gap = gaps_.find(last.value + 1); gap != gaps_.end()) {
            signature = gap->second.marker.prev_signature;
            break;
        }
        const auto envelope = stored(last.next());
        if (!envelope)
            continue;
        if (const auto cut = wire::cut_envelope(as_bytes(*envelope))) {
            signature = to_bytes(cut->prev_signature);
            break;
        }
    }
    if (last == durable_) {  // the writer's own memory has the last one's
        AMOSKYS_TRY_VOID(settle());
        if (durable_ != last)
            return lose_unreadable(first);
        signature = builder_->state().last_signature;
    }
    AMOSKYS_TRY(before, signature_of({first.value - 1}));
    Gap gap;
    gap.marker = {.first = first,
                  .last = last,
                  .envelopes = last.value - first.value + 1,
                  .events = 0,
                  .reason = "the agent's spool is damaged: not readable",
                  .prev_signature = before,
                  .last_signature = signature,
                  .epoch_reason = first.value == 1 ? epoch_reason_ : ""};
    stats_.unreadable_envelopes += gap.marker.envelopes;
    log::error(
        Spool::log_component, "spool_damaged", gap.marker.reason,
        {{"lane", options_.lane}, {"first", first.value}, {"envelopes", gap.marker.envelopes}});
    return add_gap(std::move(gap));
}

Result<> Spool::make_room(std::uint64_t bytes) {
    if (options_.when_full != WhenFull::drop_oldest ||
        stats_.pending_bytes + bytes <= options_.max_bytes)
        return {};
    const Result<> dropped =
        drop_oldest(stats_.pending_bytes + bytes - options_.max_bytes + options_.max_bytes / 16);
    // The marker does not fit on the disk: nothing is dropped yet. What is appended waits in
    // memory, and wait_room() for the disk.
    return !dropped && is_full_disk(dropped.error()) ? Result<>() : dropped;
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
    std::uint64_t freed = 0, dropped = 0, dropped_events = 0;
    std::uint64_t last = first - 1;
    for (auto size = sizes_.lower_bound(first); size != sizes_.end() && size->first == last + 1 &&
                                                freed < bytes && size->first <= durable_.value;
         ++size) {
        AMOSKYS_TRY(envelope, stored({size->first}));
        AMOSKYS_TRY(cut, wire::cut_envelope(as_bytes(envelope)));
        if (gap.marker.envelopes == 0) {
            AMOSKYS_TRY(before, signature_of({size->first - 1}));
            gap.marker.first = {size->first};
            gap.marker.prev_signature = before;
            gap.marker.from_ns = cut.first_event_ns;
            gap.marker.reason = "spool full: oldest dropped";
            gap.marker.epoch_reason = cut.epoch_reason;
        }
        gap.marker.last = {size->first};
        gap.marker.last_signature = to_bytes(cut.signature);
        gap.marker.to_ns = std::max(gap.marker.to_ns, cut.last_event_ns);
        ++gap.marker.envelopes;
        gap.marker.events += cut.events;
        if (gap.head_events.size() < counted_head)
            gap.head_events.push_back(cut.events);
        ++dropped;
        dropped_events += cut.events;
        freed += size->second;
        last = size->first;
    }
    if (dropped == 0)
        return {};  // all that is there is being sent: the window of the bus bounds it
    const bool at_the_front = gap.marker.first.value == first_pending();
    AMOSKYS_TRY_VOID(add_gap(std::move(gap)));
    for (std::uint64_t sequence = first; sequence <= last; ++sequence)
        sizes_.erase(sequence);
    stats_.pending_bytes -= freed;
    stats_.dropped_envelopes += dropped;
    stats_.dropped_events += dropped_events;
    stats_.dropped_bytes += freed;
    log::warning(Spool::log_component, "dropped_oldest",
                 "the spool is full; a gap marker tells the bus",
                 {{"lane", options_.lane}, {"envelopes", dropped}, {"bytes", freed}});
    if (at_the_front) {  // nothing before them is wanted any more
        release_kept({last});
        prune_before(offset_of({last + 1}));
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
        rest.marker.epoch_reason.clear();
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

}  // namespace amoskys::module
