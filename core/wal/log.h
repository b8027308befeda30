// The write-ahead log: an append-only sequence of records with lanes, cursors and a Merkle tree,
// kept in LMDB. Used as the bus's log and as the agents' spool. STORAGE.md is the design; README.md
// the promises.
//
// Threading: one Log object per directory and process (a lock file refuses a second process).
// append() is called by one thread only (Writer in writer.h owns it); reads may come from any
// thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/base/types.h"
#include "core/wal/record.h"

namespace amoskys::wal {

// Opaque state blobs that ride in the same transaction as records: lane state of the bus, writer
// state of a spool. Encoded by the caller (core/link, core/module); the log carries them into new
// segments.
struct StateUpdate {
    std::string key;    // at most 400 bytes
    std::string value;  // empty: the key is removed
};

struct Append {
    RecordKind kind = RecordKind::universal;
    std::uint16_t flags = 0;
    ByteView stored;                             // bytes as received
    Digest digest{};                             // what it is of: table in record.h
    ByteView signature;                          // 64 bytes or empty; for the Merkle leaf
    std::array<std::uint8_t, 16> source_hash{};  // of agent / lane / key
    std::uint64_t first_event_ns = 0, last_event_ns = 0;
    std::span<const std::uint64_t> device_hashes;  // for the zone map
    std::string_view dedup_key;  // 32 bytes BLAKE2b of agent and idempotency key, or empty
};

// What stands beside a record and can be worked out of it again.
struct RecordFacts {
    Bytes signature;  // 64 bytes or none
    UnixNanos first_event_ns = 0, last_event_ns = 0;
    std::vector<std::uint64_t> device_hashes;  // as in Append; none: it may hold any
};

struct Group {
    std::vector<Append> records;
    std::vector<StateUpdate> states;
    std::vector<std::pair<std::string, WalOffset>> cursors;
    bool states_complete = false;  // states_as_of() is the newest record from here on
};

struct Options {
    bool read_only = false;
    std::uint64_t segment_max_bytes = 1ULL << 30;
    Duration segment_max_age = std::chrono::hours(24);
    std::uint64_t dedup_max_keys = 50000;
    Duration dedup_ttl = std::chrono::seconds(300);
    // A spool: prune() also deletes single records of the newest segment.
    bool trim_records = false;
    // Of pruned segments, 32 bytes a record; a spool needs none.
    bool keep_leaf_hashes = true;
    // append() answers "wal_disk_low" below this much free disk space; 0 = no watermark.
    std::uint64_t min_free_bytes = 0;
    // Disk space held back in the file `ballast`, so that a full disk can be opened and pruned
    // (leaf hashes must be written before a segment goes). 0 = a 16th of segment_max_bytes.
    std::uint64_t ballast_bytes = 0;
    // Address space of the newest segment, at first; it grows. 0 = by segment_max_bytes.
    std::uint64_t map_bytes = 0;
    const Clock* clock = nullptr;  // system clock where null
    // So that a salvaged record keeps its leaf in the Merkle tree and its place in the zone map.
    // Without it, or where the leaf was lost too, the tree has lost_leaf() there, and no zone of
    // the segment is kept.
    std::function<RecordFacts(const RecordView&)> facts_of;
};

struct Appended {
    WalOffset first, last;  // of this group; first > last where it had no records
};

struct DedupHit {
    WalOffset offset;
    Digest digest{};
};

struct LogStats {
    WalOffset oldest, newest;  // 0,0 where empty
    std::uint64_t records = 0, stored_bytes = 0, file_bytes = 0, segments = 0, damaged_segments = 0;
    UnixNanos oldest_received_ns = 0, newest_received_ns = 0;
    std::uint64_t readers = 0;  // read transactions open on the newest segment, all processes
};

struct SegmentInfo {
    WalOffset first, last;  // what it still has; last < first where it is empty
    std::uint64_t file_bytes = 0;
    UnixNanos newest_received_ns = 0;  // 0 = unknown
    bool sealed = false;               // the newest is not
    std::uint64_t records() const { return last < first ? 0 : last.value - first.value + 1; }
};

// A range of records that could not be read; `inspect gaps` lists them. last is 0 where nobody
// knows how far it went (the newest segment was lost: everything after `first` that was not found).
struct Damage {
    WalOffset first, last;
    std::string file, what;
};

// What one segment says of itself and of the tree, for `verify`.
struct SegmentClaims {
    std::string file;
    WalOffset first, last;  // last: by the segment after it, where there is one
    WalOffset head_last;    // by its own word
    WalOffset first_kept;   // above first: those before it were trimmed
    WalOffset states_as_of;
    std::uint64_t number = 0, bytes_trimmed = 0;
    std::uint64_t records_before = 0, bytes_before = 0;  // of the log, ahead of this segment
    std::uint64_t records = 0, bytes = 0;                // and up to its end
    UnixNanos last_received_ns = 0;
    std::uint64_t tree_before = 0, tree = 0;
    Digest root_before{}, root{};
    // Entries for records that it does not have: table and number; at most 16.
    std::vector<std::pair<std::string, std::uint64_t>> strays;
};

// What is kept beside records: leaf hashes by sequence, zones (zone.h) by number.
enum class Derived { leaf, zone };

class Log {
  public:
    // cannot_create / io / permission / bad_data ("wal_newer_version") / unavailable ("wal_locked":
    // another process has it). read_only opens beside a running writer.
    static Result<std::unique_ptr<Log>> open(const std::filesystem::path& folder,
                                             const Options& options);
    virtual ~Log() = default;

    // One transaction: records, states and cursors, fsynced when it returns. On error nothing of
    // the group is in the log (io, "wal_disk_full", ...).
    virtual Result<Appended> append(const Group& group) = 0;

    // Calls visit for each record from `from` on, in order, until it returns false or `max_records`
    // have been seen. Views are valid during the call. A damaged record is passed to `damaged` and
    // skipped. Returns the offset to go on from. Uses short read transactions internally.
    virtual Result<WalOffset> read(WalOffset from, std::uint64_t max_records,
                                   const std::function<bool(const RecordView&)>& visit) = 0;
    // Skips by zone maps: only records whose zone may hold an event in [since, until) of
    // device_hash.
    struct Skip {
        UnixNanos since_ns = 0, until_ns = UINT64_MAX;
        std::optional<std::uint64_t> device_hash;
    };
    virtual Result<WalOffset> read_matching(
        WalOffset from, std::uint64_t max_records, const Skip& skip,
        const std::function<bool(const RecordView&)>& visit) = 0;
    virtual Result<std::optional<Bytes>> read_stored(WalOffset offset) = 0;

    virtual Result<std::optional<std::string>> state(std::string_view key) = 0;
    virtual Result<std::vector<StateUpdate>> states(std::string_view prefix) = 0;
    virtual Result<std::optional<WalOffset>> cursor(std::string_view name) = 0;
    virtual Result<std::optional<DedupHit>> find_dedup(std::string_view key32) = 0;

    // Unlinks sealed segments that end before `before`; with trim_records also deletes the newest
    // segment's records before it. Returns the number of records removed. Never removes `before` or
    // what follows.
    virtual Result<std::uint64_t> prune(WalOffset before) = 0;

    virtual LogStats stats() = 0;
    virtual std::vector<SegmentInfo> segments() = 0;  // oldest first; retention.h decides by it
    virtual std::vector<Damage> damages() = 0;
    // Merkle tree: size and root (RFC 6962) over all leaves so far.
    struct TreeHead {
        std::uint64_t size = 0;
        Digest root{};
    };
    virtual Result<TreeHead> tree_head() = 0;
    // Of a pruned record too; nothing where it was lost or never was.
    virtual Result<std::optional<Digest>> leaf_hash(WalOffset offset) = 0;
    // For `verify`: what stands on disk beside records [first, last], in order. Views are valid
    // during the call.
    virtual Result<> read_derived(
        Derived what, WalOffset first, WalOffset last,
        const std::function<void(std::uint64_t number, ByteView value)>& visit) = 0;
    virtual Result<std::vector<SegmentClaims>> claims() = 0;  // oldest first
    // Up to which record the states are known to be complete: the newest, except after the newest
    // segment was salvaged, when records may be there whose state updates are lost. The owner then
    // walks the records after it, and appends the states it finds with Group::states_complete.
    virtual WalOffset states_as_of() = 0;
};

}  // namespace amoskys::wal
