#include "bench/wal/lmdb_peer.h"

#include <cstring>

#include "bench/measure.h"

namespace amoskys::bench {

namespace {

void lmdb(int rc) {
    if (rc != MDB_SUCCESS)
        fail(make_error(ErrorKind::io, "lmdb_peer", mdb_strerror(rc)));
}

MDB_val number_key(std::uint64_t& number) {
    return {sizeof number, &number};
}

}  // namespace

LmdbPeer::LmdbPeer(const std::filesystem::path& folder, std::size_t map_bytes) {
    std::filesystem::create_directories(folder);
    lmdb(mdb_env_create(&env_));
    lmdb(mdb_env_set_maxdbs(env_, 8));
    lmdb(mdb_env_set_mapsize(env_, map_bytes));
    lmdb(mdb_env_open(env_, folder.c_str(), 0, 0600));
    MDB_txn* txn = nullptr;
    lmdb(mdb_txn_begin(env_, nullptr, 0, &txn));
    lmdb(mdb_dbi_open(txn, "log", MDB_CREATE | MDB_INTEGERKEY, &log_));
    lmdb(mdb_dbi_open(txn, "zone", MDB_CREATE | MDB_INTEGERKEY, &zone_table_));
    lmdb(mdb_dbi_open(txn, "tree", MDB_CREATE | MDB_INTEGERKEY, &tree_));
    lmdb(mdb_txn_commit(txn));
}

LmdbPeer::~LmdbPeer() {
    mdb_env_close(env_);
}

void LmdbPeer::append(std::span<const PeerRecord> group) {
    MDB_txn* txn = nullptr;
    lmdb(mdb_txn_begin(env_, nullptr, 0, &txn));
    for (const PeerRecord& record : group)
        put(txn, record);
    auto zone = zone_.encode();
    auto number = wal::zone_of(last_);
    MDB_val key = number_key(number), value{zone.size(), zone.data()};
    lmdb(mdb_put(txn, zone_table_, &key, &value, 0));
    lmdb(mdb_txn_commit(txn));
}

void LmdbPeer::put(MDB_txn* txn, const PeerRecord& record) {
    wal::RecordHeader header;
    header.stored_bytes = static_cast<std::uint32_t>(record.stored.size());
    header.offset = {++last_};
    header.received_ns = system_clock().now_ns();
    header.digest = record.digest;
    const wal::HeaderBytes raw = wal::encode_header(header);
    MDB_val key = number_key(last_), value{raw.size() + record.stored.size(), nullptr};
    lmdb(mdb_put(txn, log_, &key, &value, MDB_APPEND | MDB_RESERVE));
    auto* place = static_cast<std::uint8_t*>(value.mv_data);
    std::memcpy(place, raw.data(), raw.size());
    std::memcpy(place + raw.size(), record.stored.data(), record.stored.size());
    Digest leaf = wal::merkle_leaf(raw, record.signature);
    MDB_val hash{leaf.size(), leaf.data()};
    lmdb(mdb_put(txn, tree_, &key, &hash, MDB_APPEND));
    frontier_.append(leaf);
    if (wal::zone_first_offset(wal::zone_of(last_)) == last_)
        zone_ = wal::Zone();
    zone_.add(RecordKind::universal, header.received_ns, header.received_ns,
              std::span(&record.device_hash, 1));
}

}  // namespace amoskys::bench
