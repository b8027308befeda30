// Salvage of a damaged segment: see segment.h.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "core/wal/folder.h"
#include "core/wal/segment.h"
#include "core/wal/zone.h"

namespace amoskys::wal {

namespace {

constexpr std::size_t salvage_batch_bytes = 16U << 20;

// Everything found in the damaged file: by its tables where they hold, else by the raw bytes.
struct Findings {
    std::unique_ptr<MappedFile> map;
    std::unique_ptr<SegmentReader> tables;  // null where no meta page is valid
    std::optional<SegmentStart> start;
    std::optional<SegmentHead> head;
    std::map<std::uint64_t, ByteView> records;  // sequence -> header and stored bytes, in `map`
};

Result<Findings> look_through(const std::filesystem::path& file) {
    Findings out;
    AMOSKYS_TRY(map, MappedFile::open(file));
    out.map = std::move(map);
    if (auto tables = SegmentReader::open(file))
        out.tables = std::move(*tables);
    if (out.tables) {
        if (auto format = check_format(*out.tables);
            !format && format.error().code == "wal_newer_version")
            return format.error();
        if (auto start = read_start(*out.tables))
            out.start = std::move(*start);
        if (auto head = read_head(*out.tables))
            out.head = std::move(*head);
    }
    find_records(out.map->bytes(), [&](const RecordView& record) {
        out.records.emplace(
            record.header.offset.value,
            ByteView(record.header_raw.data(), header_bytes + record.header.stored_bytes));
    });
    return out;
}

SegmentStart start_for(const RebuildRequest& request, const Findings& found) {
    SegmentStart start;
    start.number = request.number;
    if (found.start && found.start->number == request.number)
        return *found.start;
    if (request.previous != nullptr) {
        if (const auto before = read_head(*request.previous)) {
            start.first_offset = before->last_offset + 1;
            start.created_ns = before->last_received_ns;
            start.records_before = before->records;
            start.bytes_before = before->bytes;
            start.frontier = before->frontier;
            return start;
        }
    }
    // Nothing before it is known: the tree can only stand on placeholders. The first segment of all
    // begins with the first record.
    if (request.number == 1)
        start.first_offset = 1;
    else
        start.first_offset =
            found.records.empty() ? request.next_first.value_or(1) : found.records.begin()->first;
    start.records_before = start.first_offset - 1;
    for (std::uint64_t offset = 1; offset < start.first_offset; ++offset)
        start.frontier.append(lost_leaf({offset}));
    return start;
}

Digest leaf_of(const Findings& found, std::uint64_t offset, const RecordView* record,
               const RecordFacts* facts) {
    std::optional<Digest> leaf;
    if (facts != nullptr &&
        (facts->signature.empty() || facts->signature.size() == signature_bytes))
        return merkle_leaf(record->header_raw, facts->signature);
    if (found.tables) {
        const auto stored = get(*found.tables, Table::tree, number_key(offset));
        if (stored && *stored && (*stored)->size() == sizeof(Digest)) {
            leaf.emplace();
            std::copy_n(as_bytes(**stored).begin(), sizeof(Digest), leaf->begin());
        }
    }
    return leaf.value_or(lost_leaf({offset}));
}

// Puts records, leaves and zones of [first, last] in their places; ranges without a record go into
// `lost`.
class Refill {
  public:
    Refill(const Findings& found, const Options& options, LmdbEnv& env, SegmentHead& head)
        : found_(found), options_(options), env_(env), head_(head), first_kept_(head.first_kept) {}

    Result<> run(std::uint64_t first, std::uint64_t last, std::vector<OffsetRange>& lost) {
        for (std::uint64_t next = first; next <= last;) {
            WriteTxn txn(env_);
            int rc = txn.begin();
            std::size_t bytes = 0;
            for (; rc == MDB_SUCCESS && next <= last && bytes < salvage_batch_bytes; ++next)
                rc = put(txn, next, bytes, lost);
            if (rc == MDB_SUCCESS && zone_.records() != 0)
                rc = txn.put(Table::zone, number_key(zone_of(next - 1)), zone_.encode());
            if (rc == MDB_SUCCESS)
                rc = txn.commit();
            if (rc != MDB_SUCCESS)
                return lmdb_error("cannot rebuild", env_.file(), rc);
        }
        return {};
    }

  private:
    int put(WriteTxn& txn, std::uint64_t offset, std::size_t& bytes,
            std::vector<OffsetRange>& lost) {
        const auto at = found_.records.find(offset);
        // Trimmed records may still stand in free pages.
        const bool here = at != found_.records.end() && offset >= first_kept_;
        const auto record = here ? decode_record(at->second)
                                 : Result<RecordView>(make_error(ErrorKind::bad_data, "lost", ""));
        std::optional<RecordFacts> facts;
        if (record && options_.facts_of)
            facts = options_.facts_of(*record);
        const Digest leaf =
            leaf_of(found_, offset, record ? &*record : nullptr, facts ? &*facts : nullptr);
        int rc = MDB_SUCCESS;
        if (offset != 1 && zone_of(offset) != zone_of(offset - 1) && zone_.records() != 0) {
            rc = txn.put(Table::zone, number_key(zone_of(offset - 1)), zone_.encode());
            zone_ = Zone();
        }
        if (facts)
            zone_.add(record->header.kind, facts->first_event_ns, facts->last_event_ns,
                      facts->device_hashes);
        if (!record && offset >= first_kept_) {
            if (!lost.empty() && lost.back().second + 1 == offset)
                lost.back().second = offset;
            else
                lost.emplace_back(offset, offset);
        } else if (record) {
            head_.last_received_ns = std::max(head_.last_received_ns, record->header.received_ns);
            head_.bytes += record->stored.size();
        }
        ++head_.records;
        head_.last_offset = offset;
        head_.frontier.append(leaf);
        bytes += sizeof(Digest) + (here ? at->second.size() : 0);
        if (rc == MDB_SUCCESS && record)
            rc = txn.append(Table::log, offset, at->second);
        return rc != MDB_SUCCESS ? rc : txn.append(Table::tree, offset, leaf);
    }

    const Findings& found_;
    const Options& options_;
    LmdbEnv& env_;
    SegmentHead& head_;
    std::uint64_t first_kept_;
    Zone zone_;  // that the last record put is in
};

// A second name for the damaged file, so that the rename over its first one loses nothing.
Result<std::string> set_aside(const std::filesystem::path& file) {
    for (unsigned attempt = 1; attempt < 1000; ++attempt) {
        const std::string name =
            file.string() + ".damaged" + (attempt == 1 ? "" : "." + std::to_string(attempt));
        if (::link(file.c_str(), name.c_str()) == 0)
            return name;
        if (errno != EEXIST)
            return lmdb_error("cannot set aside", file, errno);
    }
    return make_error(ErrorKind::cannot_create, "wal_damaged",
                      file.string() + ": a thousand damaged files stand beside it already");
}

}  // namespace

Result<std::vector<Damage>> rebuild_segment(const RebuildRequest& request, const Options& options) {
    const std::filesystem::path file = segment_path(request.folder, request.number);
    AMOSKYS_TRY(found, look_through(file));
    NewSegment segment;
    segment.start = start_for(request, found);
    segment.head = head_at_start(segment.start, segment.start.created_ns);
    const std::uint64_t first = segment.start.first_offset;
    const std::uint64_t trimmed_to = found.head ? std::max(first, found.head->first_kept) : first;
    std::uint64_t last = found.records.empty() ? 0 : found.records.rbegin()->first;
    if (found.head)
        last = std::max(last, found.head->last_offset);
    if (request.next_first)
        last = *request.next_first - 1;
    const auto fill = [&](LmdbEnv& env, SegmentHead& head) -> Result<> {
        const Snapshot* states =
            found.head ? static_cast<const Snapshot*>(found.tables.get()) : request.previous;
        if (states != nullptr)
            AMOSKYS_TRY_VOID(carry_over(*states, env));
        head.first_kept = trimmed_to;
        AMOSKYS_TRY_VOID(Refill(found, options, env, head).run(first, last, segment.lost));
        if (!request.next_first && !found.head)
            segment.lost.emplace_back(std::max(first, last + 1), 0);
        head.states_as_of = found.head ? found.head->states_as_of : first - 1;
        return {};
    };
    AMOSKYS_TRY(aside, set_aside(file));
    // The lost ranges are known once the records are in: they are written in the last transaction.
    AMOSKYS_TRY_VOID(make_segment(request.folder, segment, map_bytes_for(options), fill));
    std::vector<Damage> out;
    for (const auto& [lost_first, lost_last] : segment.lost)
        out.push_back({{lost_first},
                       {lost_last},
                       aside,
                       request.why + (lost_last == 0 ? "; what followed is unknown" : "")});
    if (out.empty())
        out.push_back({{first}, {first - 1}, aside, request.why + "; every record was salvaged"});
    return out;
}

}  // namespace amoskys::wal
