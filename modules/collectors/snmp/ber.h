// The subset of BER that SNMP uses (RFC 3417 section 8): definite lengths, tags of one byte. No
// sockets, no clock. Readers never go past their view; writers build from the last octet to the
// first, so that every length is known when its header is written.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/bytes.h"
#include "modules/collectors/snmp/oid.h"

namespace amoskys::snmp {

namespace tag {
inline constexpr std::uint8_t integer = 0x02, octets = 0x04, null = 0x05, oid = 0x06,
                              sequence = 0x30, ip_address = 0x40, counter32 = 0x41, gauge32 = 0x42,
                              time_ticks = 0x43, opaque = 0x44, counter64 = 0x46, unsigned32 = 0x47,
                              no_such_object = 0x80, no_such_instance = 0x81,
                              end_of_mib_view = 0x82;
}  // namespace tag

struct BerItem {
    std::uint8_t tag = 0;
    ByteView content;
};

class BerReader {
  public:
    explicit BerReader(ByteView bytes) : rest_(bytes) {}

    std::optional<BerItem> next();
    // The next item where it has this tag; nothing, and nothing is read, for another one.
    std::optional<ByteView> next(std::uint8_t wanted);
    std::optional<std::int64_t> integer();
    bool done() const { return rest_.empty(); }
    ByteView rest() const { return rest_; }

  private:
    ByteView rest_;
};

// Length of the message that begins here: nothing = not yet known, 0 = no message at all.
std::optional<std::size_t> message_length(ByteView stream);

std::optional<std::int64_t> ber_integer(ByteView content);    // at most 8 octets
std::optional<std::uint64_t> ber_unsigned(ByteView content);  // at most 8 octets after a zero
// At most 128 arcs of 32 bits.
std::optional<Oid> ber_oid(ByteView content);
std::optional<Value> ber_value(const BerItem& item);

class BerWriter {
  public:
    // Writes go in front of what is there. wrap() makes all since `mark` the content of one item.
    std::size_t mark() const { return reversed_.size(); }
    void wrap(std::uint8_t tag, std::size_t mark);
    void bytes(ByteView content);
    void octets(ByteView content, std::uint8_t tag = tag::octets);
    void integer(std::int64_t value, std::uint8_t tag = tag::integer);
    void unsigned_integer(std::uint64_t value, std::uint8_t tag);
    void oid(const Oid& oid);
    void value(const Value& value);
    Bytes take();  // in order

  private:
    Bytes reversed_;
};

}  // namespace amoskys::snmp
