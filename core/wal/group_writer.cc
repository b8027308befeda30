#include "core/wal/group_writer.h"

#include <algorithm>
#include <cstring>

#include "core/wal/failpoint.h"
#include "core/wal/little_endian.h"

namespace amoskys::wal {

namespace {

constexpr std::size_t name_bytes_max = 400;
constexpr std::size_t key_bytes = 32;
constexpr std::uint64_t keys_dropped_at_once = 4096;

Error bad_append(std::string_view code, std::string what) {
    return make_error(ErrorKind::usage, code, std::move(what));
}

bool bad_name(std::string_view name) {
    return name.empty() || name.size() > name_bytes_max;
}

}  // namespace

Result<> check_group(const Group& group) {
    for (const Append& record : group.records) {
        if (record.stored.size() > stored_bytes_max)
            return bad_append("wal_too_large", "a record of " +
                                                   std::to_string(record.stored.size()) +
                                                   " bytes; the log takes up to 16 MiB");
        if (!record.signature.empty() && record.signature.size() != signature_bytes)
            return bad_append("wal_bad_append", "a signature of " +
                                                    std::to_string(record.signature.size()) +
                                                    " bytes; 64 or none are allowed");
        if (!record.dedup_key.empty() && record.dedup_key.size() != key_bytes)
            return bad_append("wal_bad_append", "a duplicate key of " +
                                                    std::to_string(record.dedup_key.size()) +
                                                    " bytes; 32 or none are allowed");
    }
    for (const StateUpdate& state : group.states)
        if (bad_name(state.key))
            return bad_append("wal_bad_append", "a state key of " +
                                                    std::to_string(state.key.size()) +
                                                    " bytes; 1 to 400 are allowed");
    for (const auto& [name, offset] : group.cursors)
        if (bad_name(name))
            return bad_append("wal_bad_append", "a cursor name of " + std::to_string(name.size()) +
                                                    " bytes; 1 to 400 are allowed");
    return {};
}

std::array<std::uint8_t, 48> DedupEntry::encode() const {
    std::array<std::uint8_t, 48> out{};
    store_le(&out[0], offset);
    store_le(&out[8], received_ns);
    std::copy(digest.begin(), digest.end(), &out[16]);
    return out;
}

std::optional<DedupEntry> DedupEntry::decode(ByteView bytes) {
    if (bytes.size() != 48)
        return std::nullopt;
    DedupEntry out;
    out.offset = load_le<std::uint64_t>(&bytes[0]);
    out.received_ns = load_le<std::uint64_t>(&bytes[8]);
    std::copy_n(&bytes[16], out.digest.size(), out.digest.begin());
    return out;
}

int GroupWriter::write(const Group& group, const Options& options) {
    bool keyed = false;
    for (const Append& record : group.records) {
        if (const int rc = add(record); rc != MDB_SUCCESS)
            return rc;
        keyed = keyed || !record.dedup_key.empty();
    }
    if (const int rc = AMOSKYS_FAILPOINT("append:records"); rc != 0)
        return rc;
    if (!group.records.empty())
        if (const int rc = put_zone(); rc != MDB_SUCCESS)
            return rc;
    for (const StateUpdate& state : group.states) {
        const int rc = state.value.empty()
                           ? txn_.remove(Table::state, as_bytes(state.key))
                           : txn_.put(Table::state, as_bytes(state.key), as_bytes(state.value));
        if (rc != MDB_SUCCESS)
            return rc;
    }
    for (const auto& [name, offset] : group.cursors) {
        const int rc = txn_.put(Table::cursor, as_bytes(name), number_key(offset.value));
        if (rc != MDB_SUCCESS)
            return rc;
    }
    if (keyed)
        if (const int rc = drop_old_keys(options); rc != MDB_SUCCESS)
            return rc;
    if (group.states_complete)
        tail_.head.states_as_of = tail_.head.last_offset;
    return txn_.put(Table::info, as_bytes("head"), as_bytes(encode(tail_.head)));
}

int GroupWriter::add(const Append& record) {
    SegmentHead& head = tail_.head;
    const std::uint64_t offset = head.last_offset + 1;
    RecordHeader header;
    header.kind = record.kind;
    header.flags = record.flags;
    header.stored_bytes = static_cast<std::uint32_t>(record.stored.size());
    header.offset = {offset};
    header.received_ns = std::max(head.last_received_ns, now_ns_);
    header.source_hash = record.source_hash;
    header.digest = record.digest;
    const HeaderBytes raw = encode_header(header);
    std::uint8_t* place = nullptr;
    int rc = txn_.append_reserved(Table::log, offset, raw.size() + record.stored.size(), place);
    if (rc != MDB_SUCCESS)
        return rc;
    std::memcpy(place, raw.data(), raw.size());
    if (!record.stored.empty())
        std::memcpy(place + raw.size(), record.stored.data(), record.stored.size());
    const Digest leaf = merkle_leaf(raw, record.signature);
    rc = txn_.append(Table::tree, offset, leaf);
    if (rc != MDB_SUCCESS)
        return rc;
    if (zone_of(offset) != zone_of(offset - 1 + (offset == 1 ? 1 : 0))) {
        if (tail_.zone.records() != 0)
            rc = put_zone();
        tail_.zone = Zone();
    }
    tail_.zone.add(record.kind, record.first_event_ns, record.last_event_ns, record.device_hashes);
    head.states_as_of += head.states_as_of == head.last_offset ? 1 : 0;
    head.last_offset = offset;
    head.last_received_ns = header.received_ns;
    ++head.records;
    head.bytes += record.stored.size();
    head.frontier.append(leaf);
    if (rc == MDB_SUCCESS && !record.dedup_key.empty())
        rc = add_key(record, offset);
    return rc;
}

int GroupWriter::put_zone() {
    return txn_.put(Table::zone, number_key(zone_of(tail_.head.last_offset)), tail_.zone.encode());
}

int GroupWriter::add_key(const Append& record, std::uint64_t offset) {
    DedupEntry entry{offset, tail_.head.last_received_ns, record.digest};
    const ByteView key = as_bytes(record.dedup_key);
    const int rc = txn_.put(Table::key, key, entry.encode());
    return rc != MDB_SUCCESS ? rc : txn_.append(Table::key_order, offset, key);
}

// The window is bounded in keys and in time; a key that came again later belongs to its newer
// record.
int GroupWriter::drop_old_keys(const Options& options) {
    std::uint64_t keys = 0;
    int rc = txn_.count(Table::key_order, keys);
    if (rc != MDB_SUCCESS)
        return rc;
    const auto ttl_ns = static_cast<std::uint64_t>(options.dedup_ttl.count());
    std::vector<std::pair<std::uint64_t, std::string>> oldest;
    const auto take = [&](ByteView order, ByteView key) {
        if (oldest.size() >= keys_dropped_at_once)
            return false;
        bool expired = keys - oldest.size() > options.dedup_max_keys;
        if (!expired) {
            txn_.scan(Table::key, key, [&](ByteView, ByteView value) {
                const auto entry = DedupEntry::decode(value);
                expired = !entry || entry->received_ns + ttl_ns < tail_.head.last_received_ns ||
                          entry->offset != key_number(order);
                return false;
            });
        }
        if (expired)
            oldest.emplace_back(key_number(order), to_string(key));
        return expired;
    };
    rc = txn_.scan(Table::key_order, {}, take);
    for (const auto& [offset, key] : oldest) {
        if (rc == MDB_SUCCESS)
            rc = txn_.remove(Table::key_order, number_key(offset));
        bool own = false;
        if (rc == MDB_SUCCESS)
            rc = txn_.scan(Table::key, as_bytes(key), [&](ByteView at, ByteView value) {
                const auto entry = DedupEntry::decode(value);
                own = as_text(at) == key && (!entry || entry->offset == offset);
                return false;
            });
        if (rc == MDB_SUCCESS && own)
            rc = txn_.remove(Table::key, as_bytes(key));
    }
    return rc;
}

}  // namespace amoskys::wal
