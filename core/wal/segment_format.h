// What a segment says of itself in its `info` table: where it starts (written once) and where it
// ends (written with every commit). Used inside core/wal only; pure.
//
//   start:  check 8 | number 8 | first sequence 8 | created_ns 8 | records before 8 | stored bytes
//   before 8
//           | frontier before it (merkle.h)
//   head:   check 8 | last sequence 8 | last received_ns 8 | records so far 8 | stored bytes so far
//   8
//           | first kept sequence 8 | stored bytes trimmed from this segment 8
//           | sequence up to which the states are known 8 | frontier
//   lost:   pairs of first and last sequence (8 + 8) that were not found when the file was rebuilt;
//   last is 0
//           where the end of the log was lost and nobody knows how much followed
//
// check = first 8 bytes of SHA-256 of what follows. "so far" counts from the log's beginning.
// Integers little-endian. Invariants: frontier size = last sequence; first sequence = last of the
// file before + 1.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/wal/merkle.h"
#include "core/wal/tables.h"

namespace amoskys::wal {

struct SegmentStart {
    std::uint64_t number = 1;
    std::uint64_t first_offset = 1;
    UnixNanos created_ns = 0;
    std::uint64_t records_before = 0;
    std::uint64_t bytes_before = 0;
    Frontier frontier;
};

struct SegmentHead {
    std::uint64_t last_offset = 0;
    UnixNanos last_received_ns = 0;
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
    std::uint64_t first_kept = 1;
    std::uint64_t bytes_trimmed = 0;
    std::uint64_t states_as_of = 0;
    Frontier frontier;
};

using OffsetRange = std::pair<std::uint64_t, std::uint64_t>;

std::string encode(const SegmentStart& start);
std::string encode(const SegmentHead& head);
std::string encode(const std::vector<OffsetRange>& lost);

// bad_data "wal_damaged" where an entry is missing or its check fails, "wal_newer_version" above
// format 1.
Result<> check_format(const Snapshot& snapshot);
Result<SegmentStart> read_start(const Snapshot& snapshot);
Result<SegmentHead> read_head(const Snapshot& snapshot);
Result<std::vector<OffsetRange>> read_lost(const Snapshot& snapshot);

// The head that a segment has before its first record.
SegmentHead head_at_start(const SegmentStart& start, UnixNanos last_received_ns);

}  // namespace amoskys::wal
