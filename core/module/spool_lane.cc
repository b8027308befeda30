// The lane side of the spool: what is sent, acknowledged and kept; where to go on with a bus.
#include <algorithm>
#include <tuple>

#include "core/log/log.h"
#include "core/module/spool.h"
#include "core/wire/envelope.h"

namespace amoskys::module {

namespace {

constexpr auto trim_interval = std::chrono::seconds(1);
constexpr std::uint64_t kept_bytes_max = 16 << 20;

}  // namespace

WalOffset Spool::offset_of(SeqNo sequence) const {
    const Piece* found = &pieces_.front();
    for (const Piece& piece : pieces_)
        if (piece.first <= sequence.value)
            found = &piece;
    return {static_cast<std::uint64_t>(static_cast<std::int64_t>(sequence.value) + found->delta)};
}

// Nothing for records that belong to another epoch, or to none.
std::optional<SeqNo> Spool::sequence_at(WalOffset offset) const {
    std::uint64_t below = UINT64_MAX;
    for (auto piece = pieces_.rbegin(); piece != pieces_.rend(); ++piece) {
        const std::int64_t sequence = static_cast<std::int64_t>(offset.value) - piece->delta;
        if (sequence >= static_cast<std::int64_t>(piece->first)) {
            if (static_cast<std::uint64_t>(sequence) >= below)
                return std::nullopt;
            return SeqNo{static_cast<std::uint64_t>(sequence)};
        }
        below = piece->first;
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
    if (sequence == acked_ && !acked_signature_.empty())
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
    if (!gaps_.contains(wanted.value)) {
        Result<std::string> envelope = stored(wanted);
        if (envelope) {
            sent_ = std::max(sent_, wanted);
            return std::optional<Item>(Item{wanted, std::move(*envelope)});
        }
        if (envelope.error().kind != ErrorKind::bad_data)
            return envelope.error();
        AMOSKYS_TRY_VOID(lose_unreadable(wanted));
    }
    const Gap& gap = gaps_.at(wanted.value);
    sent_ = std::max(sent_, gap.marker.last);
    return std::optional<Item>(Item{gap.marker.last, gap.envelope});
}

void Spool::committed(SeqNo last) {
    last = std::min(last, durable_);
    if (last <= acked_)
        return;
    if (Result<Bytes> signature = signature_of(last); signature)
        acked_signature_ = std::move(*signature);
    acked_ = last;
    if (bus_ != nullptr) {
        bus_->epoch = builder_->state().epoch;
        bus_->sequence = acked_;
        bus_->signature = acked_signature_;
    }
    const bool keeps = bus_ != nullptr && !bus_->log_key.empty();
    while (!sizes_.empty() && sizes_.begin()->first <= last.value) {
        const auto [sequence, bytes] = *sizes_.begin();
        stats_.pending_bytes -= bytes;
        sizes_.erase(sizes_.begin());
        if (!keeps)
            continue;
        if (!kept_.empty() && kept_.rbegin()->first + 1 != sequence)
            release_kept({sequence - 1});  // a gap marker between them
        kept_[sequence] = bytes;
        stats_.kept_bytes += bytes;
    }
    if (!kept_.empty() && kept_.rbegin()->first != last.value)
        release_kept(last);
    const std::uint64_t most = std::min(kept_bytes_max, options_.max_bytes / 8);
    while (stats_.kept_bytes > most)
        release_kept({kept_.begin()->first});
    trim();
    wake();
}

void Spool::release_kept(SeqNo up_to) {
    while (!kept_.empty() && kept_.begin()->first <= up_to.value) {
        stats_.kept_bytes -= kept_.begin()->second;
        kept_.erase(kept_.begin());
    }
}

void Spool::prune_before(WalOffset before) {
    writer_->run_between_commits([before](wal::Log& log) {
        if (const Result<std::uint64_t> pruned = log.prune(before); !pruned)
            log::warning(Spool::log_component, "trim_failed", pruned.error().message);
    });
}

// The cursor rides along at most once a second: it may lag, never lead.
void Spool::trim() {
    const auto now = options_.clock->steady();
    if (now - last_trim_ < trim_interval && acked_ < builder_->state().last_sequence)
        return;
    last_trim_ = now;
    std::vector<wal::StateUpdate> states{acked_state()};
    if (bus_ != nullptr)
        states.push_back(BusMemory::state(*bus_));
    while (!gaps_.empty() && gaps_.begin()->second.marker.last <= acked_) {
        wal::StateUpdate gone = gap_state(gaps_.begin()->second);
        gone.value.clear();
        states.push_back(std::move(gone));
        gaps_.erase(gaps_.begin());
    }
    submit_states(std::move(states));
    prune_before(offset_of(kept_.empty() ? acked_.next() : SeqNo{kept_.begin()->first}));
}

void Spool::keep(const amoskys::bus::Receipt& receipt) {
    if (bus_ == nullptr)
        return;
    BusMemory::keep(*bus_, receipt);
    // What the older receipt covers has been seen on disk twice.
    if (bus_->receipts.size() > 1 && bus_->receipts[1].epoch() == builder_->state().epoch.value)
        release_kept({bus_->receipts[1].last_sequence()});
    submit_states({BusMemory::state(*bus_)});
    prune_before(offset_of(kept_.empty() ? acked_.next() : SeqNo{kept_.begin()->first}));
}

// From now on a full spool may drop it: should the bus have it, cut_gap() shortens the marker.
void Spool::session_ended() {
    sent_ = acked_;
    if (bus_ != nullptr)
        submit_states({acked_state(), BusMemory::state(*bus_)});
    bus_ = nullptr;
}

bool Spool::fits(const BusHead& head) {
    if (head.epoch != builder_->state().epoch)
        return acked_.value == 0 && epoch_prev_signature_ == head.signature &&
               head.epoch < builder_->state().epoch;
    if (head.sequence > durable_ || head.sequence < acked_)
        return false;
    for (const auto& [first, gap] : gaps_)
        if (first <= head.sequence.value && head.sequence < gap.marker.last)
            return head.sequence.value - first < gap.head_events.size();
    const Result<Bytes> signature = signature_of(head.sequence);
    return signature && *signature == head.signature;
}

// WELCOME below what this bus has promised: it was rolled back, or its log was replaced.
std::optional<Promise> Spool::broken_promise(const BusHead& head) const {
    const std::optional<Promise> promise = promise_of(*bus_);
    if (!promise)
        return std::nullopt;
    const auto promised = std::tie(promise->epoch, promise->sequence);
    const auto shown = std::tie(head.epoch, head.sequence);
    const bool other = promised == shown && !promise->digest.empty() && !head.digest.empty() &&
                       promise->digest != head.digest;
    return promised > shown || other ? promise : std::nullopt;
}

// What was kept is sent again; of the rest a gap marker tells how much it was.
Result<Spool::Restart> Spool::after_rollback(const BusHead& head, const Promise& promise) {
    const std::string shown = head.epoch.value == 0
                                  ? "nothing of this lane"
                                  : "epoch " + std::to_string(head.epoch.value) + " sequence " +
                                        std::to_string(head.sequence.value);
    Restart out;
    out.why = "the bus was rolled back: it has " + shown + ", and had " +
              (promise.receipt_time_ns == 0
                   ? std::string("acknowledged")
                   : "signed a receipt at " + format_time(promise.receipt_time_ns) + " for") +
              " epoch " + std::to_string(promise.epoch.value) + " sequence " +
              std::to_string(promise.sequence.value);
    const std::uint64_t has = head.epoch == promise.epoch ? head.sequence.value : 0;
    const bool here = promise.epoch == builder_->state().epoch;
    std::uint64_t lost_up_to = promise.sequence.value;
    out.from = acked_;
    Bytes last_signature = bus_->epoch == promise.epoch ? bus_->signature : Bytes();
    if (here) {
        lost_up_to = kept_.empty() ? acked_.value : kept_.begin()->first - 1;
        out.from = {std::max(has, lost_up_to)};
        out.from = std::min(out.from, acked_);
        if (Result<Bytes> signature = signature_of({lost_up_to}); signature)
            last_signature = std::move(*signature);
        else if (!kept_.empty()) {
            AMOSKYS_TRY(envelope, stored({kept_.begin()->first}));
            AMOSKYS_TRY(cut, wire::cut_envelope(as_bytes(envelope)));
            last_signature = to_bytes(cut.prev_signature);
        }
    }
    if (lost_up_to <= has)
        return out;
    last_signature.resize(wire::signature_bytes);
    Gap gap;
    gap.marker.envelopes = lost_up_to - has;
    gap.marker.first = {1};
    gap.marker.last = {gap.marker.envelopes};
    gap.marker.reason = "lost by the bus: epoch " + std::to_string(promise.epoch.value) +
                        " sequences " + std::to_string(has + 1) + " to " +
                        std::to_string(lost_up_to) + " were acknowledged, then rolled back";
    gap.marker.last_signature = std::move(last_signature);
    out.lost = std::move(gap);
    return out;
}

Result<SeqNo> Spool::resume(const BusHead& head) {
    AMOSKYS_TRY(bus, buses_.meet({.address = head.address,
                                  .origin = head.log_origin,
                                  .log_key = head.log_key,
                                  .now_ns = options_.clock->now_ns()},
                                 options_.log_keys));
    bus_ = bus;
    submit_states(buses_.take_changes());
    const bool same_epoch = head.epoch == builder_->state().epoch;
    if (const std::optional<Promise> promise = broken_promise(head)) {
        AMOSKYS_TRY(restart, after_rollback(head, *promise));
        ++stats_.rollbacks;
        log::error(
            Spool::log_component, "bus_rolled_back", restart.why,
            {{"lane", options_.lane}, {"lost", restart.lost ? restart.lost->marker.envelopes : 0}});
        AMOSKYS_TRY_VOID(start_epoch(head, std::move(restart)));
        return SeqNo{0};
    }
    if (!fits(head)) {
        const std::string why =
            head.epoch.value == 0 ? "this bus never saw the lane"
            : !same_epoch         ? "the bus has another epoch of the lane"
            : head.sequence < acked_
                ? "another bus has taken what this one has not"
                : "the bus's head is not in the spool, which was restored from a snapshot";
        AMOSKYS_TRY_VOID(start_epoch(head, {why, acked_, {}}));
        return SeqNo{0};
    }
    const SeqNo at = same_epoch ? head.sequence : SeqNo{0};
    AMOSKYS_TRY_VOID(cut_gap(at, head.signature));
    sent_ = at;
    committed(at);
    return at;
}

}  // namespace amoskys::module
