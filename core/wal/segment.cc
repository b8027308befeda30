#include "core/wal/segment.h"

#include <unistd.h>

#include <cerrno>

#include "core/wal/failpoint.h"
#include "core/wal/folder.h"
#include "core/wal/little_endian.h"

namespace amoskys::wal {

namespace {

constexpr std::uint64_t rows_per_transaction = 10000;

Result<> copy_table(const Snapshot& from, LmdbEnv& to, Table table) {
    std::string last_key;  // copied so far; a scan starts at it and leaves it out
    for (bool more = true; more;) {
        more = false;
        WriteTxn txn(to);
        int rc = txn.begin();
        std::uint64_t rows = 0;
        AMOSKYS_TRY_VOID(from.scan(table, as_bytes(last_key), [&](ByteView key, ByteView value) {
            if (!last_key.empty() && as_text(key) == last_key)
                return true;
            if (rc == MDB_SUCCESS)
                rc = txn.put(table, key, value);
            if (++rows < rows_per_transaction)
                return rc == MDB_SUCCESS;
            last_key = to_string(key);
            more = true;
            return false;
        }));
        if (rc == MDB_SUCCESS)
            rc = txn.commit();
        if (rc != MDB_SUCCESS)
            return lmdb_error("cannot carry over to", to.file(), rc);
    }
    return {};
}

void remove_quietly(const std::filesystem::path& file) {
    std::error_code ignored;  // it may not be there; the next opening deletes what stays
    std::filesystem::remove(file, ignored);
}

Result<> write_info(LmdbEnv& env, const NewSegment& segment) {
    std::uint8_t format[4];
    store_le(format, segment_format);
    WriteTxn txn(env);
    int rc = txn.begin();
    if (rc == MDB_SUCCESS)
        rc = txn.put(Table::info, as_bytes("format"), ByteView(format));
    if (rc == MDB_SUCCESS)
        rc = txn.put(Table::info, as_bytes("start"), as_bytes(encode(segment.start)));
    if (rc == MDB_SUCCESS)
        rc = txn.put(Table::info, as_bytes("head"), as_bytes(encode(segment.head)));
    if (rc == MDB_SUCCESS && !segment.lost.empty())
        rc = txn.put(Table::info, as_bytes("lost"), as_bytes(encode(segment.lost)));
    if (rc == MDB_SUCCESS)
        rc = txn.commit();
    if (rc != MDB_SUCCESS)
        return lmdb_error("cannot write", env.file(), rc);
    return {};
}

Result<> fill_temporary(const std::filesystem::path& file, NewSegment& segment,
                        std::uint64_t map_bytes, const Fill& fill) {
    AMOSKYS_TRY(env, LmdbEnv::open(file, EnvMode::write, map_bytes));
    AMOSKYS_TRY_VOID(fill(*env, segment.head));
    return write_info(*env, segment);
}

}  // namespace

// Address space, not disk. Room for the group that goes over the limit, so that growing stays the
// exception.
std::uint64_t map_bytes_for(const Options& options) {
    constexpr std::uint64_t room_for_groups = 256ULL << 20;
    return options.map_bytes != 0 ? options.map_bytes
                                  : 2 * options.segment_max_bytes + room_for_groups;
}

Result<> carry_over(const Snapshot& from, LmdbEnv& to) {
    for (const Table table : {Table::state, Table::cursor, Table::key, Table::key_order})
        AMOSKYS_TRY_VOID(copy_table(from, to, table));
    return {};
}

Result<> make_segment(const std::filesystem::path& folder, NewSegment& segment,
                      std::uint64_t map_bytes, const Fill& fill) {
    const std::filesystem::path final_path = segment_path(folder, segment.start.number);
    const std::filesystem::path temporary = final_path.string() + ".tmp";
    const std::filesystem::path temporary_lock = temporary.string() + "-lock";
    remove_quietly(temporary);
    if (auto filled = fill_temporary(temporary, segment, map_bytes, fill); !filled) {
        remove_quietly(temporary);
        remove_quietly(temporary_lock);
        return filled.error();
    }
    remove_quietly(temporary_lock);
    if (const int rc = AMOSKYS_FAILPOINT("segment:filled"); rc != 0)
        return lmdb_error("cannot rename", temporary, rc);
    if (::rename(temporary.c_str(), final_path.c_str()) != 0)
        return lmdb_error("cannot rename", temporary, errno);
    if (const int rc = AMOSKYS_FAILPOINT("segment:renamed"); rc != 0)
        return lmdb_error("cannot sync", folder, rc);
    return sync_directory(folder);
}

}  // namespace amoskys::wal
