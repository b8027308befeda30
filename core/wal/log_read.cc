// The log's reading half. Every read transaction on the newest segment is short.
#include <algorithm>

#include "core/wal/log_impl.h"

namespace amoskys::wal {

namespace {

constexpr std::uint64_t records_at_once = 512;
constexpr auto time_at_once = std::chrono::milliseconds(20);

// The next offset in [from, last] whose zone may match; last + 1 where none does. zone_end: where
// the run of records in that zone ends.
Result<std::uint64_t> next_matching(const Snapshot& snapshot, std::uint64_t from,
                                    std::uint64_t last, const Log::Skip& skip) {
    std::uint64_t wanted = zone_of(from);
    AMOSKYS_TRY_VOID(
        scan_from(snapshot, Table::zone, wanted, [&](std::uint64_t number, ByteView value) {
            const auto zone = Zone::decode(value);
            if (number != wanted || !zone ||
                zone->may_hold(skip.since_ns, skip.until_ns, skip.device_hash))
                return false;  // a zone without an entry may hold anything
            ++wanted;
            return zone_first_offset(wanted) <= last;
        }));
    return std::max(from, std::min(zone_first_offset(wanted), last + 1));
}

}  // namespace

struct LogImpl::Span {
    std::uint64_t last = 0;  // of the segment
    const std::filesystem::path* file = nullptr;
    bool bounded = false;  // stop after records_at_once / time_at_once
};

struct LogImpl::ScanState {
    std::uint64_t position = 0;
    std::uint64_t records_left = 0;
    bool wanted = true;  // the visitor has not said stop
    const Skip* skip = nullptr;
    const std::function<bool(const RecordView&)>* visit = nullptr;
};

// Goes from scan.position to at most span.last; numbers that are not there are named as lost.
Result<> LogImpl::scan_span(const Snapshot& snapshot, const Span& span, ScanState& scan) {
    const auto until = clock().steady() + time_at_once;
    std::uint64_t seen = 0;
    bool pause = false;
    while (scan.wanted && !pause && scan.records_left != 0 && scan.position <= span.last) {
        std::uint64_t end = span.last;
        if (scan.skip != nullptr) {
            AMOSKYS_TRY(at, next_matching(snapshot, scan.position, span.last, *scan.skip));
            scan.position = at;
            if (at > span.last)
                break;
            end = std::min(end, zone_first_offset(zone_of(at) + 1) - 1);
        }
        bool stopped = false;
        AMOSKYS_TRY_VOID(scan_from(
            snapshot, Table::log, scan.position, [&](std::uint64_t offset, ByteView value) {
                if (offset > end)
                    return false;
                if (offset > scan.position)
                    note_lost(scan.position, offset - 1, *span.file, "records are missing");
                scan.position = offset + 1;
                const auto record = decode_record(value);
                if (!record || record->header.offset.value != offset ||
                    !stored_bytes_intact(*record)) {
                    note_lost(offset, offset, *span.file,
                              record ? "the record's bytes are not those its header names"
                                     : record.error().message);
                    return true;
                }
                --scan.records_left;
                scan.wanted = (*scan.visit)(*record);
                ++seen;
                pause = span.bounded &&
                        (seen >= records_at_once || (seen % 16 == 0 && clock().steady() >= until));
                stopped = !scan.wanted || pause || scan.records_left == 0;
                return !stopped;
            }));
        if (!stopped && scan.position <= end) {
            note_lost(scan.position, end, *span.file, "records are missing");
            scan.position = end + 1;
        }
    }
    return {};
}

Result<> LogImpl::with_active(const std::function<Result<>(const Snapshot&)>& use) {
    std::unique_lock gate(gate_);
    std::shared_lock hold(active_mutex_);
    gate.unlock();
    if (active_ == nullptr)
        return make_error(ErrorKind::unavailable, "wal_closed",
                          folder_.string() + ": the newest segment could not be opened again",
                          "its disk failed or is full; the next write tries again");
    AMOSKYS_TRY(snapshot, active_->snapshot());
    return use(*snapshot);
}

Result<> LogImpl::with_active_head(
    const std::function<Result<>(const Snapshot&, const SegmentHead&)>& use) {
    return with_active([&](const Snapshot& snapshot) -> Result<> {
        AMOSKYS_TRY(head, read_head(snapshot));
        return use(snapshot, head);
    });
}

Result<WalOffset> LogImpl::read(WalOffset from, std::uint64_t max_records,
                                const std::function<bool(const RecordView&)>& visit) {
    const Skip all;
    return read_matching(from, max_records, all, visit);
}

Result<WalOffset> LogImpl::read_matching(WalOffset from, std::uint64_t max_records,
                                         const Skip& skip,
                                         const std::function<bool(const RecordView&)>& visit) {
    if (options_.read_only)
        AMOSKYS_TRY_VOID(refresh());
    const bool everything = skip.since_ns == 0 && skip.until_ns == UINT64_MAX && !skip.device_hash;
    ScanState scan{std::max<std::uint64_t>(from.value, 1), max_records, true,
                   everything ? nullptr : &skip, &visit};
    for (bool more = true; more && scan.wanted && scan.records_left != 0;) {
        const auto list = sealed();
        const auto segment = std::ranges::find_if(
            *list, [&](const auto& each) { return each->last >= scan.position; });
        if (segment != list->end()) {
            const SealedSegment& at = **segment;
            scan.position = std::max({scan.position, at.first, at.first_kept});
            if (at.reader == nullptr)
                scan.position = at.last + 1;
            else
                AMOSKYS_TRY_VOID(scan_span(*at.reader, {at.last, &at.file, false}, scan));
            continue;
        }
        AMOSKYS_TRY_VOID(with_active_head([&](const Snapshot& snapshot,
                                              const SegmentHead& head) -> Result<> {
            if (scan.position < active_start_.first_offset && !sealed()->empty() &&
                sealed()->back()->last >= scan.position)
                return {};  // it was sealed between the two looks
            scan.position = std::max({scan.position, head.first_kept, active_start_.first_offset});
            const auto& file = active_->file();
            auto scanned = scan_span(snapshot, {head.last_offset, &file, true}, scan);
            more = scan.position <= head.last_offset;
            return scanned;
        }));
    }
    return WalOffset{scan.position};
}

Result<std::optional<Bytes>> LogImpl::read_stored(WalOffset offset) {
    std::optional<Bytes> out;
    AMOSKYS_TRY_VOID(read(offset, 1, [&](const RecordView& record) {
        if (record.header.offset == offset)
            out = to_bytes(record.stored);
        return false;
    }));
    return out;
}

Result<std::optional<std::string>> LogImpl::state(std::string_view key) {
    std::optional<std::string> out;
    AMOSKYS_TRY_VOID(with_active([&](const Snapshot& snapshot) -> Result<> {
        AMOSKYS_TRY(value, get(snapshot, Table::state, as_bytes(key)));
        out = std::move(value);
        return {};
    }));
    return out;
}

Result<std::vector<StateUpdate>> LogImpl::states(std::string_view prefix) {
    std::vector<StateUpdate> out;
    AMOSKYS_TRY_VOID(with_active([&](const Snapshot& snapshot) {
        return snapshot.scan(Table::state, as_bytes(prefix), [&](ByteView key, ByteView value) {
            if (!as_text(key).starts_with(prefix))
                return false;
            out.push_back({to_string(key), to_string(value)});
            return true;
        });
    }));
    return out;
}

Result<std::optional<WalOffset>> LogImpl::cursor(std::string_view name) {
    std::optional<WalOffset> out;
    AMOSKYS_TRY_VOID(with_active([&](const Snapshot& snapshot) -> Result<> {
        AMOSKYS_TRY(value, get(snapshot, Table::cursor, as_bytes(name)));
        if (value && value->size() == sizeof(std::uint64_t))
            out = WalOffset{key_number(as_bytes(*value))};
        return {};
    }));
    return out;
}

Result<std::optional<DedupHit>> LogImpl::find_dedup(std::string_view key32) {
    std::optional<DedupHit> out;
    const auto ttl_ns = static_cast<std::uint64_t>(options_.dedup_ttl.count());
    AMOSKYS_TRY_VOID(with_active([&](const Snapshot& snapshot) -> Result<> {
        AMOSKYS_TRY(value, get(snapshot, Table::key, as_bytes(key32)));
        const auto entry = value ? DedupEntry::decode(as_bytes(*value)) : std::nullopt;
        if (entry && entry->received_ns + ttl_ns >= clock().now_ns())
            out = DedupHit{{entry->offset}, entry->digest};
        return {};
    }));
    return out;
}

LogStats LogImpl::stats() {
    LogStats out;
    const auto list = sealed();
    SegmentHead head = tail().head;
    std::uint64_t bytes_before = 0;
    std::uint64_t oldest = 0;
    if (options_.read_only && !refresh())
        return out;
    const auto look = [&](const Snapshot& snapshot, const SegmentHead& now) -> Result<> {
        head = now;
        bytes_before = active_start_.bytes_before + now.bytes_trimmed;
        out.readers = active_->readers() - 1;  // without this look itself
        oldest = std::max(active_start_.first_offset, now.first_kept);
        return scan_from(snapshot, Table::log, oldest, [&](std::uint64_t, ByteView value) {
            if (const auto record = decode_record(value))
                out.oldest_received_ns = record->header.received_ns;
            return false;
        });
    };
    if (!with_active_head(look))
        return out;
    for (const auto& segment : *list)
        out.file_bytes += segment->reader ? segment->reader->file_bytes() : 0;
    out.file_bytes += active_used_bytes_;
    out.segments = list->size() + 1;
    if (!list->empty()) {
        const SealedSegment& first = *list->front();
        oldest = std::max(first.first, first.first_kept);
        bytes_before = first.bytes_before + first.bytes_trimmed;
        const auto received = [&](std::uint64_t, ByteView value) {
            if (const auto record = decode_record(value))
                out.oldest_received_ns = record->header.received_ns;
            return false;
        };
        if (first.reader)
            (void)scan_from(*first.reader, Table::log, oldest, received).has_value();
    }
    if (oldest <= head.last_offset) {
        out.oldest = {oldest};
        out.newest = {head.last_offset};
        out.records = head.last_offset - oldest + 1;
        out.stored_bytes = head.bytes - bytes_before;
        out.newest_received_ns = head.last_received_ns;
    }
    for (const Damage& damage : damages())
        out.damaged_segments += damage.file.find(".damaged") != std::string::npos ? 1 : 0;
    return out;
}

std::vector<SegmentInfo> LogImpl::segments() {
    std::vector<SegmentInfo> out;
    if (options_.read_only && !refresh())
        return out;
    const auto list = sealed();
    for (const auto& segment : *list)
        out.push_back({{std::max(segment->first, segment->first_kept)},
                       {segment->last},
                       segment->reader ? segment->reader->file_bytes() : 0,
                       segment->newest_received_ns,
                       true});
    const SegmentHead head = tail().head;
    const auto first = (list->empty() ? 0 : list->back()->last) + 1;
    out.push_back({{std::max(first, head.first_kept)},
                   {head.last_offset},
                   active_used_bytes_,
                   head.last_received_ns,
                   false});
    return out;
}

std::vector<Damage> LogImpl::damages() {
    const std::lock_guard hold(damages_mutex_);
    return damages_;
}

Result<Log::TreeHead> LogImpl::tree_head() {
    TreeHead out;
    AMOSKYS_TRY_VOID(with_active_head([&](const Snapshot&, const SegmentHead& head) -> Result<> {
        out = {head.frontier.size(), head.frontier.root()};
        return {};
    }));
    return out;
}

Result<std::optional<Digest>> LogImpl::leaf_hash(WalOffset offset) {
    std::optional<Digest> out;
    const auto look = [&](const Snapshot& snapshot) -> Result<> {
        AMOSKYS_TRY(value, get(snapshot, Table::tree, number_key(offset.value)));
        if (value && value->size() == sizeof(Digest)) {
            out.emplace();
            std::ranges::copy(as_bytes(*value), out->begin());
        }
        return {};
    };
    const auto list = sealed();
    for (const auto& segment : *list)
        if (segment->reader && segment->first <= offset.value && offset.value <= segment->last) {
            AMOSKYS_TRY_VOID(look(*segment->reader));
            return out;
        }
    AMOSKYS_TRY_VOID(with_active([&](const Snapshot& snapshot) { return look(snapshot); }));
    const std::lock_guard hold(sealed_mutex_);
    for (std::size_t i = 0; !out && i < leaf_files_.size(); ++i)
        out = leaf_files_[i]->leaf(offset.value);
    return out;
}

WalOffset LogImpl::states_as_of() {
    SegmentHead now = tail().head;
    if (options_.read_only) {
        const auto read =
            with_active_head([&](const Snapshot&, const SegmentHead& head) -> Result<> {
                now = head;
                return {};
            });
        if (!read)
            return {};  // nothing is known
    }
    return {now.states_as_of};
}

}  // namespace amoskys::wal
