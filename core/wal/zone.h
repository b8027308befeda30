// Zone map: what 256 records in a row may hold, so that a search by time or device skips the rest.
// Used inside core/wal, and by `inspect verify`, which makes each anew; pure.
//
//   0  first event ns  8   smallest of the zone; 0 where a record did not say
//   8  last event ns   8   largest; all ones where a record did not say
//  16  kinds           1   bit (kind) for each kind seen
//  17  flags           1   1 = a record may hold any device
//  18  records         2   in this zone so far
//  20  check           4   FNV-1a of the other bytes, never zero; zero = written before there was
//  one 24  devices       128   Bloom filter of 1,024 bits, 4 bits a device: 100 devices give 1 %
//  false hits
//
// Integers little-endian; 152 bytes. A zone that cannot be read, or whose check differs, counts as
// one that may hold anything.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/types.h"
#include "core/wal/log.h"

namespace amoskys::wal {

inline constexpr std::uint64_t zone_records = 256;
inline std::uint64_t zone_of(std::uint64_t offset) {
    return (offset - 1) / zone_records;
}
inline std::uint64_t zone_first_offset(std::uint64_t zone) {
    return zone * zone_records + 1;
}

class Zone {
  public:
    static constexpr std::size_t encoded_bytes = 152;

    void add(RecordKind kind, UnixNanos first_event_ns, UnixNanos last_event_ns,
             std::span<const std::uint64_t> device_hashes);
    void add(const RecordView& record, const Options& options);  // by its facts
    // Nothing that a search would find in the records of `other` is hidden by this one.
    bool covers(const Zone& other) const;
    std::string describe() const;
    bool operator==(const Zone&) const = default;
    bool may_hold(UnixNanos since_ns, UnixNanos until_ns,
                  std::optional<std::uint64_t> device) const;
    std::uint16_t records() const { return records_; }

    std::array<std::uint8_t, encoded_bytes> encode() const;
    static std::optional<Zone> decode(ByteView bytes);

  private:
    UnixNanos first_event_ns_ = UINT64_MAX;
    UnixNanos last_event_ns_ = 0;
    std::uint8_t kinds_ = 0;
    std::uint8_t flags_ = 0;
    std::uint16_t records_ = 0;
    std::array<std::uint8_t, 128> devices_{};
};

}  // namespace amoskys::wal
