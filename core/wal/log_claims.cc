// What `inspect verify` asks of a log: what stands beside the records, and what each segment says
// of itself, as it is on disk.
#include <algorithm>

#include "core/wal/log_impl.h"

namespace amoskys::wal {

namespace {

constexpr std::size_t strays_max = 16;

Table table_of(Derived what) {
    return what == Derived::leaf ? Table::tree : Table::zone;
}

// Entries of a number-keyed table outside of [first, last].
Result<> find_strays(const Snapshot& snapshot, Table table, OffsetRange range,
                     SegmentClaims& claims) {
    const auto add = [&](std::uint64_t number) {
        claims.strays.emplace_back(table_names[static_cast<std::size_t>(table)], number);
    };
    AMOSKYS_TRY_VOID(scan_from(snapshot, table, 0, [&](std::uint64_t number, ByteView) {
        const bool before = number < range.first && claims.strays.size() < strays_max;
        if (before)
            add(number);
        return before;
    }));
    return scan_from(snapshot, table, range.second + 1, [&](std::uint64_t number, ByteView) {
        const bool room = claims.strays.size() < strays_max;
        if (room && (number < range.first || number > range.second))
            add(number);
        return room;
    });
}

Result<SegmentClaims> claims_of(const Snapshot& snapshot, const SegmentHead& head,
                                std::uint64_t last) {
    AMOSKYS_TRY(start, read_start(snapshot));
    SegmentClaims out;
    out.first = {start.first_offset};
    out.last = {last};
    out.head_last = {head.last_offset};
    out.first_kept = {head.first_kept};
    out.states_as_of = {head.states_as_of};
    out.number = start.number;
    out.bytes_trimmed = head.bytes_trimmed;
    out.records_before = start.records_before;
    out.bytes_before = start.bytes_before;
    out.records = head.records;
    out.bytes = head.bytes;
    out.last_received_ns = head.last_received_ns;
    out.tree_before = start.frontier.size();
    out.root_before = start.frontier.root();
    out.tree = head.frontier.size();
    out.root = head.frontier.root();
    if (last < out.first.value)
        return out;
    const std::uint64_t kept = std::max(head.first_kept, start.first_offset);
    const OffsetRange records{kept, last};
    const OffsetRange leaves{out.first.value, last};  // a bus keeps those of trimmed records
    const OffsetRange zones{zone_of(kept), zone_of(last)};
    AMOSKYS_TRY_VOID(find_strays(snapshot, Table::log, records, out));
    AMOSKYS_TRY_VOID(find_strays(snapshot, Table::tree, leaves, out));
    AMOSKYS_TRY_VOID(find_strays(snapshot, Table::zone, zones, out));
    return out;
}

}  // namespace

Result<> LogImpl::read_derived(Derived what, WalOffset first, WalOffset last,
                               const std::function<void(std::uint64_t, ByteView)>& visit) {
    const Table table = table_of(what);
    const auto look = [&](const Snapshot& snapshot, std::uint64_t from, std::uint64_t to) {
        const bool by_zone = what == Derived::zone;
        const std::uint64_t end = by_zone ? zone_of(to) : to;
        return scan_from(snapshot, table, by_zone ? zone_of(from) : from,
                         [&](std::uint64_t number, ByteView value) {
                             if (number <= end)
                                 visit(number, value);
                             return number < end;
                         });
    };
    std::uint64_t at = std::max<std::uint64_t>(first.value, 1);
    const auto list = sealed();
    for (const auto& segment : *list) {
        if (segment->last < at || segment->first > last.value)
            continue;
        const std::uint64_t to = std::min(segment->last, last.value);
        if (segment->reader)
            AMOSKYS_TRY_VOID(look(*segment->reader, std::max(at, segment->first), to));
        at = to + 1;
    }
    if (at > last.value)
        return {};
    return with_active([&](const Snapshot& snapshot) { return look(snapshot, at, last.value); });
}

Result<std::vector<SegmentClaims>> LogImpl::claims() {
    std::vector<SegmentClaims> out;
    if (options_.read_only)
        AMOSKYS_TRY_VOID(refresh());
    const auto list = sealed();
    for (const auto& segment : *list) {
        if (!segment->reader)
            continue;
        AMOSKYS_TRY(head, read_head(*segment->reader));
        AMOSKYS_TRY(claims, claims_of(*segment->reader, head, segment->last));
        claims.file = segment->file.string();
        out.push_back(std::move(claims));
    }
    AMOSKYS_TRY_VOID(
        with_active_head([&](const Snapshot& snapshot, const SegmentHead& head) -> Result<> {
            AMOSKYS_TRY(claims, claims_of(snapshot, head, head.last_offset));
            claims.file = active_->file().string();
            out.push_back(std::move(claims));
            return {};
        }));
    for (const auto& leaves : leaf_files())
        if (!leaves->intact())
            note_lost(0, 0, leaves->file(), "the leaf hashes' own check differs");
    return out;
}

}  // namespace amoskys::wal
