#include "modules/tools/inspect/zone_check.h"

#include <algorithm>

namespace amoskys::modules::inspect {

void ZoneCheck::begin(const std::vector<wal::SegmentClaims>& segments, WalOffset last) {
    segments_ = &segments;
    last_ = last;
}

void ZoneCheck::open_at(WalOffset offset) {
    while (segment_ + 1 < segments_->size() && (*segments_)[segment_].last < offset)
        ++segment_;
    const wal::SegmentClaims& segment = (*segments_)[segment_];
    Made made;
    made.segment = &segment;
    const std::uint64_t number = wal::zone_of(offset.value);
    made.first.value = std::max(segment.first.value, wal::zone_first_offset(number));
    made.last.value =
        std::min({segment.last.value, wal::zone_first_offset(number + 1) - 1, last_.value});
    open_ = std::move(made);
}

void ZoneCheck::add(const wal::RecordView& record, const std::optional<wal::RecordFacts>& facts) {
    const WalOffset offset = record.header.offset;
    if (segments_ == nullptr || segments_->empty())
        return;
    if (open_ && offset > open_->last) {
        complete_.push_back(std::move(*open_));
        open_.reset();
    }
    if (!open_)
        open_at(offset);
    if (!facts)
        return;
    ++open_->seen;
    open_->zone.add(record.header.kind, facts->first_event_ns, facts->last_event_ns,
                    facts->device_hashes);
}

Result<> ZoneCheck::settle() {
    for (const Made& made : complete_)
        AMOSKYS_TRY_VOID(compare(made));
    complete_.clear();
    return {};
}

Result<> ZoneCheck::finish() {
    if (open_)
        complete_.push_back(std::move(*open_));
    open_.reset();
    return settle();
}

// Where not every record was seen (damage, which is named elsewhere), or the writer has gone on
// meanwhile, the zone may say more than these records do, but never less.
Result<> ZoneCheck::compare(const Made& made) {
    const std::uint64_t number = wal::zone_of(made.first.value);
    bool there = false;
    std::optional<wal::Zone> kept;
    AMOSKYS_TRY_VOID(log_.read_derived(wal::Derived::zone, made.first, made.last,
                                       [&](std::uint64_t at, ByteView value) {
                                           there = there || at == number;
                                           if (at == number)
                                               kept = wal::Zone::decode(value);
                                       }));
    AMOSKYS_TRY(now, log_.tree_head());
    const bool all_seen = made.seen == made.last.value - made.first.value + 1;
    const bool goes_on = made.last == last_ && now.size != last_.value;
    const std::string name = "zone " + std::to_string(number) + " (records " +
                             std::to_string(made.first.value) + " to " +
                             std::to_string(made.last.value) + ") of " + made.segment->file;
    if (!there)
        report_(made.first, name + " is missing");
    else if (!kept)
        report_(made.first, name + " cannot be read");
    else if (!kept->covers(made.zone))
        report_(made.first, name + " hides records from searches: it says " + kept->describe() +
                                "; its records make " + made.zone.describe());
    else if (all_seen && !goes_on && *kept != made.zone)
        report_(made.first, name + " is not the one of its records: it says " + kept->describe() +
                                "; they make " + made.zone.describe());
    return {};
}

}  // namespace amoskys::modules::inspect
