// A row of the earlier system's log as a record of ours: checked, and what stands beside it in a
// log. Used by `import` and by reading such a file in place. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/types.h"
#include "modules/tools/inspect/legacy_db.h"

namespace amoskys::modules::inspect {

enum class LegacyChecksum { blake2b, sha256, copy };

// Owns nothing but the device hashes; views point into the row.
struct CheckedRow {
    RecordKind kind = RecordKind::legacy;
    LegacyChecksum checksum = LegacyChecksum::blake2b;
    Digest digest{};
    ByteView signature;  // empty: the row is unsigned
    std::uint64_t events = 0;
    UnixNanos first_ns = 0, last_ns = 0;
    std::vector<std::uint64_t> device_hashes;

    std::uint16_t flags() const;  // of the record: imported, unsigned
};

// What is wrong with the row, or "".
std::string_view check_legacy_row(const LegacyRow& row, CheckedRow& out);

}  // namespace amoskys::modules::inspect
