// The peer of the log: a bare LMDB loop that does the same puts (log, zone, leaf) and the same
// hashing (header check, leaf, tree) and nothing else: no segments, states, ballast or limits.
// Default flags, full sync. Used by wal_bench.cc.
#pragma once

#include <lmdb.h>

#include <filesystem>
#include <span>

#include "core/wal/merkle.h"
#include "core/wal/record.h"
#include "core/wal/zone.h"

namespace amoskys::bench {

struct PeerRecord {
    ByteView stored;
    Digest digest{};
    ByteView signature;
    std::uint64_t device_hash = 0;
};

class LmdbPeer {
  public:
    LmdbPeer(const std::filesystem::path& folder, std::size_t map_bytes);
    ~LmdbPeer();
    LmdbPeer(const LmdbPeer&) = delete;
    LmdbPeer& operator=(const LmdbPeer&) = delete;
    void append(std::span<const PeerRecord> group);  // one transaction

  private:
    void put(MDB_txn* txn, const PeerRecord& record);
    MDB_env* env_ = nullptr;
    MDB_dbi log_ = 0, zone_table_ = 0, tree_ = 0;
    std::uint64_t last_ = 0;
    wal::Frontier frontier_;
    wal::Zone zone_;
};

}  // namespace amoskys::bench
