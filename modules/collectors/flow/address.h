// Addresses and the key of a flow. An IPv4 address is kept as ::ffff:a.b.c.d, so that one key fits
// both families; `version` in the key tells a real IPv6 address of that form apart.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <string>

#include "modules/collectors/flow/big_endian.h"

namespace amoskys::flow {

struct Address {
    std::array<std::uint8_t, 16> bytes{};
    bool operator==(const Address&) const = default;
    // As the bytes in order, eight at a time.
    std::strong_ordering operator<=>(const Address& other) const {
        const auto first = be64(bytes.data()) <=> be64(other.bytes.data());
        return first != 0 ? first : be64(bytes.data() + 8) <=> be64(other.bytes.data() + 8);
    }
};

inline Address address_v4(const std::uint8_t* four) {
    Address out;
    out.bytes[10] = out.bytes[11] = 0xff;
    std::memcpy(out.bytes.data() + 12, four, 4);
    return out;
}
inline Address address_v6(const std::uint8_t* sixteen) {
    Address out;
    std::memcpy(out.bytes.data(), sixteen, 16);
    return out;
}
// "192.0.2.1", or RFC 5952 for version 6.
std::string address_text(const Address& address, unsigned version);

// The same for both directions of a conversation: the lower (address, port) comes first. One-way
// ICMP messages keep their order. Exactly 40 bytes without padding, compared and hashed as bytes.
struct FlowKey {
    Address low, high;
    std::uint16_t low_port = 0, high_port = 0;
    std::uint8_t protocol = 0;  // of the IP header
    std::uint8_t version = 4;   // 4 or 6
    std::uint8_t one_way = 0;
    std::uint8_t unused = 0;
    bool operator==(const FlowKey& other) const {
        return ((word(0) ^ other.word(0)) | (word(1) ^ other.word(1)) | (word(2) ^ other.word(2)) |
                (word(3) ^ other.word(3)) | (word(4) ^ other.word(4))) == 0;
    }
    std::uint64_t word(std::size_t i) const {
        std::uint64_t out;
        std::memcpy(&out, reinterpret_cast<const char*>(this) + i * sizeof out, sizeof out);
        return out;
    }
};
static_assert(sizeof(FlowKey) == 40);

// Mixes a secret in, so that nobody outside can choose keys that collide.
std::uint64_t hash_key(const FlowKey& key, std::uint64_t secret);

}  // namespace amoskys::flow
