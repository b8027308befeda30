// The sub-databases of a segment and the one way to read them, whoever reads: LMDB for the segment
// that is being written (lmdb_env.h), our own page reader for sealed and damaged ones
// (segment_reader.h). Used inside core/wal only.
//
//   table      key                      value
//   info       "format"                 u32, 1
//              "start", "head", "lost"  segment_format.h
//   log        sequence u64             record (record.h)
//   zone       (sequence-1)/256 u64     zone.h
//   key        BLAKE2b-256, 32 bytes    sequence u64 | received_ns u64 | digest 32
//   key_order  sequence u64             key, 32 bytes: the oldest is dropped first
//   state      text, at most 400 bytes  the caller's bytes
//   cursor     text, at most 400 bytes  sequence u64
//   tree       sequence u64             leaf hash, 32 bytes
//
// Number keys are LMDB's MDB_INTEGERKEY (8 bytes, native order); the others sort as bytes.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace amoskys::wal {

enum class Table : std::uint8_t { info, log, zone, key, key_order, state, cursor, tree };
inline constexpr std::size_t table_count = 8;
inline constexpr std::array<const char*, table_count> table_names{
    "info", "log", "zone", "key", "key_order", "state", "cursor", "tree"};

constexpr bool number_keyed(Table table) {
    return table == Table::log || table == Table::zone || table == Table::key_order ||
           table == Table::tree;
}

inline constexpr std::uint32_t segment_format = 1;

using NumberKey = std::array<std::uint8_t, 8>;
NumberKey number_key(std::uint64_t number);
std::uint64_t key_number(ByteView key);

// Views are valid during the call; false ends the scan.
using Visit = std::function<bool(ByteView key, ByteView value)>;

// One consistent state of a segment.
class Snapshot {
  public:
    virtual ~Snapshot() = default;
    // Visits the entries whose key is at least `from`, in order.
    virtual Result<> scan(Table table, ByteView from, const Visit& visit) const = 0;
};

Result<std::optional<std::string>> get(const Snapshot& snapshot, Table table, ByteView key);
Result<> scan_from(const Snapshot& snapshot, Table table, std::uint64_t from,
                   const std::function<bool(std::uint64_t, ByteView)>& visit);

}  // namespace amoskys::wal
