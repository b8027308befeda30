// LMDB for the one segment that is being written: environment, read snapshots, the write
// transaction. Reads go through our own page reader (segment_reader.h) over a second mapping of the
// file: an LMDB read transaction only keeps the pages of its snapshot from being written again.
// LMDB itself follows pages where it writes: along the last path of `log` and `tree`, and in the
// tables that SegmentReader::soundness() has looked through. The only files that include lmdb.h are
// this folder's lmdb_env.* (through this header) and segment code. Used inside core/wal only.
//
// Rules of LMDB kept here: MDB_NOSUBDIR and MDB_NOTLS always; never MDB_WRITEMAP, MDB_NOSYNC or
// MDB_NOMETASYNC; one environment per file and process (Log's registry); grow() only while no
// transaction of this process is open (Log's gate); not used after fork.
#pragma once

#include <lmdb.h>

#include <array>
#include <filesystem>
#include <memory>

#include "core/wal/segment_reader.h"
#include "core/wal/tables.h"

namespace amoskys::wal {

enum class EnvMode { write, read_only };

// The Error for an LMDB or errno result: io "wal_disk_full", permission "wal_read_only",
// unavailable "wal_readers_full", bad_data "wal_damaged", else io "wal_io".
Error lmdb_error(std::string_view what, const std::filesystem::path& file, int rc);

class LmdbEnv;

class ReadSnapshot final : public Snapshot {
  public:
    ReadSnapshot(std::unique_ptr<SegmentReader> pages, MDB_txn* txn)
        : pages_(std::move(pages)), txn_(txn) {}
    ReadSnapshot(const ReadSnapshot&) = delete;
    ReadSnapshot& operator=(const ReadSnapshot&) = delete;
    ~ReadSnapshot() override { mdb_txn_abort(txn_); }
    Result<> scan(Table table, ByteView from, const Visit& visit) const override;
    const SegmentReader& pages() const { return *pages_; }

  private:
    std::unique_ptr<SegmentReader> pages_;
    MDB_txn* txn_;
};

// Aborts unless committed. The functions return LMDB's result code.
class WriteTxn {
  public:
    explicit WriteTxn(const LmdbEnv& env) : env_(env) {}
    WriteTxn(const WriteTxn&) = delete;
    WriteTxn& operator=(const WriteTxn&) = delete;
    ~WriteTxn();
    int begin();
    int commit();

    int put(Table table, ByteView key, ByteView value);
    // At the end of a number-keyed table: MDB_KEYEXIST where a key at least as large is there.
    int append(Table table, std::uint64_t key, ByteView value);
    // As append, but gives the place to write `size` bytes to before the next call.
    int append_reserved(Table table, std::uint64_t key, std::size_t size, std::uint8_t*& place);
    int remove(Table table, ByteView key);  // a missing key is no error
    int count(Table table, std::uint64_t& entries) const;
    int scan(Table table, ByteView from, const Visit& visit) const;

  private:
    const LmdbEnv& env_;
    MDB_txn* txn_ = nullptr;
};

class LmdbEnv {
  public:
    // For writing: creates the file (mode 0600) and the tables where they are missing.
    static Result<std::unique_ptr<LmdbEnv>> open(const std::filesystem::path& file, EnvMode mode,
                                                 std::uint64_t map_bytes);
    LmdbEnv(const LmdbEnv&) = delete;
    LmdbEnv& operator=(const LmdbEnv&) = delete;
    ~LmdbEnv();

    Result<std::unique_ptr<ReadSnapshot>> snapshot() const;
    Result<> grow();
    // Read transactions open, of all processes; slots of dead ones are freed.
    std::uint64_t readers() const;
    std::uint64_t used_bytes() const;  // pages in use by the file, times their size
    std::uint64_t map_bytes() const { return map_bytes_; }
    const std::filesystem::path& file() const { return file_; }

  private:
    friend class WriteTxn;
    explicit LmdbEnv(std::filesystem::path file) : file_(std::move(file)) {}
    int open_tables(EnvMode mode);
    int map_pages();
    void unmap_pages();
    int begin_reading(MDB_txn*& txn) const;
    bool still_newest(std::uint64_t txnid, ByteView file) const;

    std::filesystem::path file_;
    MDB_env* env_ = nullptr;
    std::array<MDB_dbi, table_count> tables_{};
    std::uint64_t map_bytes_ = 0;
    std::size_t page_bytes_ = 0;
    const std::uint8_t* pages_ = nullptr;  // map_bytes_ of the file, whatever its length
};

}  // namespace amoskys::wal
