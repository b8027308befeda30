// Reads an LMDB data file without LMDB: bounds are checked at every step, so that no damaged page
// can end the process or make it loop. Used for sealed segments (nobody writes them any more, so
// that no lock is needed), to check the newest one before LMDB opens it, and to salvage damaged
// ones.
//
// Why not LMDB itself: 0.9 has no page checksums and follows what it reads; a flipped bit in a
// branch page makes it assert or read outside of the map, and a truncated file is a SIGBUS.
//
// Layout read (LMDB 0.9, data version 1, 64 bit; mdb.c: MDB_page, MDB_meta, MDB_db, MDB_node),
// little-endian:
//
//   page    pgno 8 | pad 2 | flags 2 | lower 2, upper 2 (overflow: page count 4) | node offsets 2
//   each ...
//           flags: 1 branch, 2 leaf, 4 overflow, 8 meta
//   meta    pages 0 and 1, after the page header: magic BEEFC0DE 4 | version 4 | address 8 |
//   mapsize 8
//           | free table 48 | main table 48 | last page 8 | txnid 8; the larger txnid holds
//   table   pad 4 (free table: page size) | flags 2 | depth 2 | branch, leaf, overflow pages 8 each
//           | entries 8 | root page 8 (all ones: empty)
//   node    lo 2 | hi 2 | flags 2 | key size 2 | key | data; in a branch lo, hi, flags are the
//   child's page
//           (48 bits); in a leaf lo | hi << 16 is the data size; flag 1: the data is in overflow
//           pages whose first number (8) stands here; flag 2: the data is a table
//   overflow: page count pages in a row, one header of 16 at the front, then the data unbroken
//
// Limits: pages of 512 B to 64 KiB, depth 8, every page at most once a scan. A page that does not
// hold is left out and counted; the log sees what is missing by the gaps in the sequence numbers.
// Not covered: a file that another program shortens, or a disk that fails, while it is mapped
// (SIGBUS).
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "core/wal/record.h"
#include "core/wal/tables.h"

namespace amoskys::wal {

// What the newest meta page says; and whether LMDB could be let at this file.
struct SegmentSoundness {
    bool both_metas = false;      // LMDB refuses a file with one bad meta page
    bool long_enough = false;     // no page that the tables refer to can lie behind the end
    bool pages_in_place = false;  // what was looked at of the tables is whole
    bool sound() const { return both_metas && long_enough && pages_in_place; }
    std::string what() const;  // for a message
};

struct SegmentMeta;  // what a meta page says

class SegmentReader final : public Snapshot {
  public:
    // io / permission / no_input where the file cannot be read, bad_data "wal_damaged" where
    // neither meta page is valid or the main table is unreadable.
    static Result<std::unique_ptr<SegmentReader>> open(const std::filesystem::path& file);
    // Of bytes that somebody else has mapped, and keeps mapped: the newest segment's, as of one of
    // its two last commits.
    static Result<std::unique_ptr<SegmentReader>> over(ByteView mapped, std::size_t page_bytes,
                                                       std::uint64_t txnid,
                                                       const std::filesystem::path& file);
    SegmentReader(const SegmentReader&) = delete;
    SegmentReader& operator=(const SegmentReader&) = delete;
    ~SegmentReader() override;

    Result<> scan(Table table, ByteView from, const Visit& visit) const override;
    std::uint64_t unreadable_pages() const { return unreadable_.load(); }  // met by scans so far
    std::uint64_t file_bytes() const { return size_; }
    // Of a reader made by over(): its commit as a file of its own, which LMDB opens like any other.
    std::uint64_t own_file_bytes() const { return (last_page_ + 1) * page_bytes_; }
    Result<> write_own_file(const std::function<Result<>(ByteView)>& take) const;
    // Opening looks at a few pages far apart, each alone (a disk's read-ahead, often megabytes,
    // would be paid for each); from this call on the file is read in order.
    void expect_scans() const;
    void expect_page(std::uint64_t number) const;  // will be read soon; advice only
    // Of a file of up to 32 MiB all pages. Of a larger one those that LMDB follows when it writes:
    // the tables but `log` and `tree` whole (they have a bounded size), of these the first and the
    // last path. A file shorter than its last page is looked through whole.
    SegmentSoundness soundness() const;

  private:
    friend class PageWalk;
    struct TableRoot {
        std::uint64_t root = UINT64_MAX;
        unsigned depth = 0;
    };

    SegmentReader() = default;
    bool read_metas();
    bool read_tables();
    void use(const SegmentMeta& meta);
    bool free_list_holds() const;
    std::optional<ByteView> page(std::uint64_t number) const;  // header checked
    std::optional<ByteView> leaf_value(ByteView page, std::size_t node) const;

    const std::uint8_t* data_ = nullptr;
    bool own_map_ = true;
    std::array<std::uint8_t, 152>
        meta_{};  // of over(): the page is written again two commits later
    std::uint64_t size_ = 0;
    std::size_t page_bytes_ = 0;
    std::uint64_t last_page_ = 0;
    unsigned valid_metas_ = 0;
    TableRoot main_;
    TableRoot free_;
    std::array<TableRoot, table_count> tables_{};
    mutable std::atomic<std::uint64_t> unreadable_{0};
};

// Of the newest commit that the meta pages tell of; 0 where neither is valid.
std::uint64_t newest_txnid(ByteView file);

// Looks for record headers in raw bytes (a damaged file), whatever the pages around them say:
// values are unbroken in LMDB files. Visits each header whose check holds and whose stored bytes
// lie inside, in file order; old copies of a record may come more than once.
void find_records(ByteView file, const std::function<void(const RecordView&)>& visit);

// A file mapped for reading; empty where it has no bytes.
class MappedFile {
  public:
    static Result<std::unique_ptr<MappedFile>> open(const std::filesystem::path& file);
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    ~MappedFile();
    ByteView bytes() const { return {data_, size_}; }

  private:
    MappedFile() = default;
    const std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace amoskys::wal
