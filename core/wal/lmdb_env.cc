#include "core/wal/lmdb_env.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "core/base/check.h"
#include "core/base/owner.h"
#include "core/wal/failpoint.h"
#include "core/wal/folder.h"

namespace amoskys::wal {

namespace {

constexpr unsigned readers_max = 510;
constexpr int snapshot_attempts = 10000;

MDB_val to_val(ByteView bytes) {
    return {bytes.size(), const_cast<std::uint8_t*>(bytes.data())};
}
ByteView from_val(const MDB_val& value) {
    return {static_cast<const std::uint8_t*>(value.mv_data), value.mv_size};
}

// LMDB maps its lock file after a mere ftruncate: on a full disk the first store into it would be a
// SIGBUS. So its blocks are allocated beforehand. 64 KiB hold the table of readers_max readers and
// some.
int reserve_lock_file(const std::filesystem::path& file, EnvMode mode) {
    constexpr off_t lock_file_bytes = 64 << 10;
    const std::string name = file.string() + "-lock";
    const FileDescriptor fd(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd)
        return mode == EnvMode::read_only ? 0 : errno;  // LMDB itself reads from a read-only disk
    give_to_owner_of_folder(fd.get(), name);
    if (mode == EnvMode::write && ::geteuid() == 0) {  // LMDB takes an empty file for a new one
        const FileDescriptor made(
            ::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (made)
            give_to_owner_of_folder(made.get(), file);
    }
    return ::posix_fallocate(fd.get(), 0, lock_file_bytes);
}

class CursorHandle {
  public:
    CursorHandle(MDB_txn* txn, MDB_dbi table) : rc_(mdb_cursor_open(txn, table, &cursor_)) {}
    CursorHandle(const CursorHandle&) = delete;
    CursorHandle& operator=(const CursorHandle&) = delete;
    ~CursorHandle() {
        if (rc_ == MDB_SUCCESS)
            mdb_cursor_close(cursor_);
    }
    int rc() const { return rc_; }
    int get(MDB_val& key, MDB_val& value, MDB_cursor_op operation) {
        return mdb_cursor_get(cursor_, &key, &value, operation);
    }

  private:
    MDB_cursor* cursor_ = nullptr;
    int rc_;
};

int scan_table(MDB_txn* txn, MDB_dbi table, ByteView from, const Visit& visit) {
    CursorHandle cursor(txn, table);
    if (cursor.rc() != MDB_SUCCESS)
        return cursor.rc();
    MDB_val key = to_val(from);
    MDB_val value{};
    int rc = cursor.get(key, value, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
    while (rc == MDB_SUCCESS && visit(from_val(key), from_val(value)))
        rc = cursor.get(key, value, MDB_NEXT);
    return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

}  // namespace

Error lmdb_error(std::string_view what, const std::filesystem::path& file, int rc) {
    // LMDB calls a write that came out short EIO, which is what a disk that is just full gives.
    constexpr std::uint64_t next_to_nothing = 1 << 20;
    if (rc == EIO && free_bytes(file.parent_path()) < next_to_nothing)
        rc = ENOSPC;
    const std::string text = std::string(what) + " " + file.string() + ": " + mdb_strerror(rc);
    switch (rc) {
        case ENOSPC:
        case EDQUOT:
            return make_error(ErrorKind::io, "wal_disk_full", text, "free space on that disk");
        case EACCES:
        case EPERM:
        case EROFS:
            return make_error(ErrorKind::permission, "wal_read_only", text,
                              "the log's folder must be writable by this user");
        case ENOENT:
            return make_error(ErrorKind::no_input, "wal_missing", text);
        case MDB_READERS_FULL:
            return make_error(ErrorKind::unavailable, "wal_readers_full", text,
                              "too many programs read this log at once");
        case MDB_MAP_RESIZED:
            return make_error(ErrorKind::unavailable, "wal_map_resized", text);
        case MDB_VERSION_MISMATCH:
            return make_error(ErrorKind::bad_data, "wal_newer_version", text);
        case MDB_CORRUPTED:
        case MDB_PAGE_NOTFOUND:
        case MDB_INVALID:
        case MDB_NOTFOUND:
        case MDB_INCOMPATIBLE:
        case MDB_KEYEXIST:
            return make_error(ErrorKind::bad_data, "wal_damaged", text);
        default:
            return make_error(ErrorKind::io, "wal_io", text);
    }
}

Result<> ReadSnapshot::scan(Table table, ByteView from, const Visit& visit) const {
    return pages_->scan(table, from, visit);
}

WriteTxn::~WriteTxn() {
    if (txn_ != nullptr)
        mdb_txn_abort(txn_);
}

int WriteTxn::begin() {
    return mdb_txn_begin(env_.env_, nullptr, 0, &txn_);
}

int WriteTxn::commit() {
    if (const int rc = AMOSKYS_FAILPOINT("commit:before"); rc != 0)
        return rc;
    MDB_txn* txn = txn_;
    txn_ = nullptr;
    const int rc = mdb_txn_commit(txn);
    if (const int pretended = AMOSKYS_FAILPOINT("commit:after"); pretended != 0)
        return pretended;
    return rc;
}

int WriteTxn::put(Table table, ByteView key, ByteView value) {
    MDB_val k = to_val(key);
    MDB_val v = to_val(value);
    return mdb_put(txn_, env_.tables_[static_cast<std::size_t>(table)], &k, &v, 0);
}

int WriteTxn::append(Table table, std::uint64_t key, ByteView value) {
    MDB_val k{sizeof key, &key};
    MDB_val v = to_val(value);
    return mdb_put(txn_, env_.tables_[static_cast<std::size_t>(table)], &k, &v, MDB_APPEND);
}

int WriteTxn::append_reserved(Table table, std::uint64_t key, std::size_t size,
                              std::uint8_t*& place) {
    MDB_val k{sizeof key, &key};
    MDB_val v{size, nullptr};
    const int rc = mdb_put(txn_, env_.tables_[static_cast<std::size_t>(table)], &k, &v,
                           MDB_APPEND | MDB_RESERVE);
    place = static_cast<std::uint8_t*>(v.mv_data);
    return rc;
}

int WriteTxn::remove(Table table, ByteView key) {
    MDB_val k = to_val(key);
    const int rc = mdb_del(txn_, env_.tables_[static_cast<std::size_t>(table)], &k, nullptr);
    return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

int WriteTxn::count(Table table, std::uint64_t& entries) const {
    MDB_stat stat{};
    const int rc = mdb_stat(txn_, env_.tables_[static_cast<std::size_t>(table)], &stat);
    entries = stat.ms_entries;
    return rc;
}

int WriteTxn::scan(Table table, ByteView from, const Visit& visit) const {
    return scan_table(txn_, env_.tables_[static_cast<std::size_t>(table)], from, visit);
}

Result<std::unique_ptr<LmdbEnv>> LmdbEnv::open(const std::filesystem::path& file, EnvMode mode,
                                               std::uint64_t map_bytes) {
    std::unique_ptr<LmdbEnv> out(new LmdbEnv(file));
    int rc = mdb_env_create(&out->env_);
    if (rc != MDB_SUCCESS)
        return lmdb_error("cannot create an environment for", file, rc);
    mdb_env_set_maxdbs(out->env_, table_count);
    mdb_env_set_maxreaders(out->env_, readers_max);
    mdb_env_set_mapsize(out->env_, map_bytes);
    const unsigned flags =
        MDB_NOSUBDIR | MDB_NOTLS | (mode == EnvMode::read_only ? MDB_RDONLY : 0U);
    rc = reserve_lock_file(file, mode);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_open(out->env_, file.c_str(), flags, 0600);
    if (rc == MDB_SUCCESS)
        rc = out->open_tables(mode);
    if (rc != MDB_SUCCESS)
        return lmdb_error("cannot open", file, rc);
    MDB_envinfo info{};
    mdb_env_info(out->env_, &info);
    out->map_bytes_ = info.me_mapsize;
    MDB_stat stat{};
    mdb_env_stat(out->env_, &stat);
    out->page_bytes_ = stat.ms_psize;
    if (rc = out->map_pages(); rc != MDB_SUCCESS)
        return lmdb_error("cannot map", file, rc);
    return out;
}

LmdbEnv::~LmdbEnv() {
    unmap_pages();
    if (env_ != nullptr)
        mdb_env_close(env_);
}

int LmdbEnv::open_tables(EnvMode mode) {
    MDB_txn* txn = nullptr;
    int rc = mdb_txn_begin(env_, nullptr, mode == EnvMode::read_only ? MDB_RDONLY : 0U, &txn);
    for (std::size_t i = 0; rc == MDB_SUCCESS && i < table_count; ++i) {
        unsigned flags = number_keyed(static_cast<Table>(i)) ? MDB_INTEGERKEY : 0U;
        if (mode == EnvMode::write)
            flags |= MDB_CREATE;
        rc = mdb_dbi_open(txn, table_names[i], flags, &tables_[i]);
    }
    if (txn == nullptr)
        return rc;
    if (rc != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return rc;
    }
    return mdb_txn_commit(txn);  // keeps the table handles
}

int LmdbEnv::map_pages() {
    mdb_filehandle_t fd = -1;
    const int rc = mdb_env_get_fd(env_, &fd);
    if (rc != MDB_SUCCESS)
        return rc;
    void* map = ::mmap(nullptr, map_bytes_, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return errno;
    pages_ = static_cast<const std::uint8_t*>(map);
    return MDB_SUCCESS;
}

void LmdbEnv::unmap_pages() {
    if (pages_ != nullptr)
        ::munmap(const_cast<std::uint8_t*>(pages_), map_bytes_);
    pages_ = nullptr;
}

int LmdbEnv::begin_reading(MDB_txn*& txn) const {
    const int rc = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
    if (rc != MDB_READERS_FULL)
        return rc;
    int dead = 0;
    mdb_reader_check(env_, &dead);
    return mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
}

// Whether the copy of the meta page of snapshot `txnid` is whole. The second commit after it writes
// that page again, and begins only when readers are shown the first one: where a new reader, or the
// other meta page, still knows of none, it has not begun.
bool LmdbEnv::still_newest(std::uint64_t txnid, ByteView file) const {
    if (newest_txnid(file) == txnid)
        return true;
    MDB_txn* txn = nullptr;
    if (begin_reading(txn) != MDB_SUCCESS)
        return false;
    const bool same = mdb_txn_id(txn) == txnid;
    mdb_txn_abort(txn);
    return same;
}

Result<std::unique_ptr<ReadSnapshot>> LmdbEnv::snapshot() const {
    if (pages_ == nullptr)  // growing the map has failed
        return lmdb_error("cannot read", file_, ENOMEM);
    for (int attempt = 0; attempt < snapshot_attempts; ++attempt) {
        MDB_txn* txn = nullptr;
        int rc = begin_reading(txn);
        if (rc != MDB_SUCCESS)
            return lmdb_error("cannot read", file_, rc);
        std::unique_ptr<MDB_txn, void (*)(MDB_txn*)> hold(txn, &mdb_txn_abort);
        mdb_filehandle_t fd = -1;
        struct stat status {};
        rc = mdb_env_get_fd(env_, &fd);
        if (rc == MDB_SUCCESS && ::fstat(fd, &status) != 0)
            rc = errno;
        if (rc != MDB_SUCCESS)
            return lmdb_error("cannot read", file_, rc);
        const ByteView file(pages_,
                            std::min(map_bytes_, static_cast<std::uint64_t>(status.st_size)));
        const std::uint64_t txnid = mdb_txn_id(txn);
        auto pages = SegmentReader::over(file, page_bytes_, txnid, file_);
        if (!still_newest(txnid, file))
            continue;
        if (!pages)
            return pages.error();
        return std::make_unique<ReadSnapshot>(std::move(*pages), hold.release());
    }
    return make_error(ErrorKind::unavailable, "wal_busy",
                      "cannot read " + file_.string() + ": commits follow each other too fast");
}

std::uint64_t LmdbEnv::readers() const {
    int dead = 0;
    mdb_reader_check(env_, &dead);  // one that was killed would keep old pages, and the file grow
    std::uint64_t count = 0;
    // "PID THREAD TXNID"; the title has words, a free slot a "-", an empty table brackets.
    const auto line = [](const char* text, void* to) {
        const std::string_view row(text);
        if (row.find("txnid") == std::string_view::npos && !row.ends_with("-\n") &&
            row.front() != '(')
            ++*static_cast<std::uint64_t*>(to);
        return 0;
    };
    mdb_reader_list(env_, line, &count);
    return count;
}

Result<> LmdbEnv::grow() {
    const std::uint64_t larger = map_bytes_ + map_bytes_ / 2;
    unmap_pages();
    int rc = mdb_env_set_mapsize(env_, larger);
    if (rc == MDB_SUCCESS)
        map_bytes_ = larger;
    if (const int mapped = map_pages(); rc == MDB_SUCCESS)
        rc = mapped;
    if (rc != MDB_SUCCESS)
        return lmdb_error("cannot enlarge the map of", file_, rc);
    return {};
}

std::uint64_t LmdbEnv::used_bytes() const {
    MDB_envinfo info{};
    MDB_stat stat{};
    mdb_env_info(env_, &info);
    mdb_env_stat(env_, &stat);
    return (info.me_last_pgno + 1) * stat.ms_psize;
}

}  // namespace amoskys::wal
