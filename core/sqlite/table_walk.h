// The b-tree of one table, from its root page: every row in the order of the row ids. Sans-io.
//
// A page (section 1.6 of the file format; on page 1 the 100 octets of the file's header come
// first):
//
//     0  u8 0x0d leaf | 0x05 interior   1  u16 first free block   3  u16 cells   5  u16 start of
//     cells 7  u8 lost octets   8  u32 rightmost child (interior only)  then u16 offset of each
//     cell
//   leaf cell:      varint octets of the record, varint row id, record or its begin, u32 overflow
//   page interior cell:  u32 child, varint row id overflow page:  u32 next (0 = last), octets
//
// Guards, as the file is from outside: depth, row ids that rise, a record's size, and no more pages
// read in one walk than the file has, so that pages which name each other in a ring end it.
#pragma once

#include "core/sqlite/pages.h"

namespace amoskys::sqlite {

inline constexpr std::uint32_t tree_depth_max = 20;
inline constexpr std::uint64_t record_bytes_max = 16ULL << 20;

// 1 to 9 octets, seven bits each, the ninth eight. False at the end of `in`; else cuts it off `in`.
bool take_varint(ByteView& in, std::uint64_t& out);

// The view is valid during the call; false or an error ends the walk.
using RecordVisit = std::function<Result<bool>(std::int64_t row_id, ByteView record)>;
// Rows from this id on; pages before it are not read.
Result<> walk_table(const Pages& pages, std::uint32_t root, std::int64_t from,
                    const RecordVisit& visit);

// The rows, without reading them.
Result<std::uint64_t> count_rows(const Pages& pages, std::uint32_t root);

}  // namespace amoskys::sqlite
