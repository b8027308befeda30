// A database file and the -wal file beside it as one row of pages: of each page the newest that
// was committed. Sans-io; immutable after open(); one thread.
//
// Database file, all integers big-endian (sqlite.org/fileformat2.html, section 1.3):
//
//     0  "SQLite format 3\0"     16  u16 page size (1 = 65536)    18  u8 write, u8 read version
//    20  u8 reserved octets a page                                24  u32 change counter
//    28  u32 pages, valid where 92 equals 24                      56  u32 text encoding (1 = UTF-8)
//
// -wal file (section 4.1): header, then frames
//
//     0  u32 magic 0x377f0682 | 1: sums over little- or big-endian words      4  u32 3007000
//     8  u32 page size   12  u32 number of checkpoints   16  2 u32 salts    24  2 u32 sums of 0..23
//   frame:  0  u32 page   4  u32 pages of the database after a commit, else 0
//           8  2 u32 salts of the header   16  2 u32 sums of all so far   24  the page
//
// A frame counts when its salts and sums fit and a commit follows or is in it. Whatever comes after
// the last such frame is of an older round or was never committed.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <unordered_map>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace amoskys::sqlite {

inline constexpr std::uint32_t page_bytes_min = 512, page_bytes_max = 65536;

// One of the files; read() fills all of `out` from offset, or fails.
struct Source {
    std::uint64_t size_bytes = 0;  // 0: not there
    std::function<Result<>(std::uint64_t offset, std::span<std::uint8_t> out)> read = {};
};

struct Files {
    Source database;
    Source wal = {}, journal = {};
};

class Pages {
  public:
    // Refuses, besides damage: other encodings than UTF-8, and a -journal that holds the old pages
    // of a transaction that did not end.
    static Result<Pages> open(Files files);

    std::uint32_t count() const { return count_; }
    // The used octets of page 1..count() into out.
    Result<> read(std::uint32_t number, Bytes& out) const;

  private:
    Result<> read_header();
    Result<> read_wal();

    Files files_;
    std::uint32_t page_bytes_ = 0, usable_bytes_ = 0, count_ = 0;
    std::unordered_map<std::uint32_t, std::uint64_t>
        in_wal_;  // page -> its octets in the -wal file
};

}  // namespace amoskys::sqlite
