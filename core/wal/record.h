// Stored record: 96-byte header | stored bytes. All integers little-endian (LMDB files are not
// portable across byte orders anyway).
//
//   0  magic "AWR1"      4
//   4  format = 1        1   kind 1   flags 2
//   8  stored length     4   reserved 4 (zero)
//  16  global sequence   8
//  24  received_ns       8   monotone within a log: max(previous, now)
//  32  source hash      16   first 16 bytes of SHA-256(agent_id 0 lane 0 key_id)
//  48  digest           32   universal, gap: SHA-256 of the canonical bytes; legacy, audit: of the
//  stored bytes 80  check            16   first 16 bytes of SHA-256(header bytes 0..80): finds a
//  damaged header
//
// Limits: stored length at most 16 MiB. Recovery: a header whose check fails, or a legacy/audit
// record whose digest differs, is reported as damage and skipped; the next key goes on. Used by
// everything that reads or writes the log. Pure functions, any thread.
#pragma once

#include <array>
#include <cstdint>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/base/types.h"

namespace amoskys::wal {

// Flag bits of the header.
inline constexpr std::uint16_t flag_unsigned = 1;  // stored without a signature (import)
inline constexpr std::uint16_t flag_future_time =
    2;  // ts_ns more than 300 s ahead of the bus (rule 11)
inline constexpr std::uint16_t flag_imported = 4;

inline constexpr std::size_t header_bytes = 96;
inline constexpr std::size_t signature_bytes = 64;
inline constexpr std::uint64_t stored_bytes_max = 16ULL << 20;

using HeaderBytes = std::array<std::uint8_t, header_bytes>;
using SourceHash = std::array<std::uint8_t, 16>;

struct RecordHeader {
    RecordKind kind = RecordKind::universal;
    std::uint16_t flags = 0;
    std::uint32_t stored_bytes = 0;
    WalOffset offset;
    UnixNanos received_ns = 0;
    SourceHash source_hash{};
    Digest digest{};
};

struct RecordView {
    RecordHeader header;
    ByteView header_raw;  // the 96 bytes
    ByteView stored;
};

HeaderBytes encode_header(const RecordHeader& header);

// Checks magic, format, kind, reserved bytes, length and the header's check: bad_data
// "record_damaged"; a format above 1 is bad_data "wal_newer_version". The views point into
// `record`.
Result<RecordView> decode_record(ByteView record);
// The 96 bytes alone, without looking at what follows (finding records in a damaged file).
Result<RecordHeader> decode_header(ByteView header96);
// For the kinds whose digest covers the stored bytes (legacy, audit): recomputes it; others: true,
// because only core/wire can cut the canonical bytes out.
bool stored_bytes_intact(const RecordView& record);

SourceHash source_hash(std::string_view agent_id, std::string_view lane, std::string_view key_id);
// First 8 bytes of SHA-256(device_id), little-endian: what zone maps remember of a device.
std::uint64_t device_hash(std::string_view device_id);

// RFC 6962 leaf: SHA-256(0x00 | header | signature (64 bytes, zeros if none)).
Digest merkle_leaf(ByteView header96, ByteView signature64_or_empty);
// What stands in the tree for a record that was lost with its leaf: SHA-256(0x00 | "amoskys lost
// record" | sequence). Such a tree is not consistent with checkpoints made before the loss: the
// loss shows.
Digest lost_leaf(WalOffset offset);

}  // namespace amoskys::wal
