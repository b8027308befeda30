// Puts one group into a write transaction: records, leaf hashes, zone, duplicate keys, states,
// cursors, head. Works on copies of the log's head and zone, which the log takes over only after
// the commit. Used inside core/wal only, by the thread that appends.
#pragma once

#include "core/wal/lmdb_env.h"
#include "core/wal/log.h"
#include "core/wal/segment_format.h"
#include "core/wal/zone.h"

namespace amoskys::wal {

struct Tail {
    SegmentHead head;
    Zone zone;  // of the zone that the last record is in
};

class GroupWriter {
  public:
    GroupWriter(WriteTxn& txn, Tail tail, UnixNanos now_ns)
        : txn_(txn), tail_(std::move(tail)), now_ns_(now_ns) {}
    // LMDB's result code.
    int write(const Group& group, const Options& options);
    const Tail& tail() const { return tail_; }

  private:
    int add(const Append& record);
    int put_zone();
    int add_key(const Append& record, std::uint64_t offset);
    int drop_old_keys(const Options& options);

    WriteTxn& txn_;
    Tail tail_;
    UnixNanos now_ns_;
};

// usage "wal_too_large" / "wal_bad_append" for what no retry would help; checked before the
// transaction.
Result<> check_group(const Group& group);

struct DedupEntry {
    std::uint64_t offset = 0;
    UnixNanos received_ns = 0;
    Digest digest{};
    std::array<std::uint8_t, 48> encode() const;
    static std::optional<DedupEntry> decode(ByteView bytes);
};

}  // namespace amoskys::wal
