// Envelopes that a bus refused for good (INVALID), kept for a person to look at: one file each in
// <spool>/quarantine, written whole or not at all. At most 100 files; beyond that the oldest goes,
// which is logged. `inspect quarantine` lists them.
//
// NNNNNNNNNNNNNN-NNNNNNNNNNNNNNNNNNNN.json (epoch-sequence): one object, schema
// amoskys.quarantined/1: agent, lane, epoch, sequence, time, reason, events, bytes, envelope
// (base64).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/types.h"
#include "core/json/json.h"

namespace amoskys::module {

struct Quarantined {
    LaneKey lane;
    Epoch epoch;
    SeqNo sequence;
    UnixNanos time_ns = 0;
    std::string reason;
    std::uint64_t events = 0;
    std::string envelope;
};
inline constexpr std::size_t quarantined_max = 100;

Result<> quarantine(const std::filesystem::path& spool_folder, const Quarantined& what);

struct QuarantineFile {
    std::filesystem::path file;
    Json content;  // null where it cannot be read
};
// In order of epoch and sequence.
Result<std::vector<QuarantineFile>> quarantined(const std::filesystem::path& spool_folder);

}  // namespace amoskys::module
