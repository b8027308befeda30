// The Internet checksum (RFC 1071), as IPv4, TCP, UDP and ICMP use it. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "modules/collectors/flow/address.h"

namespace amoskys::flow {

// One's complement sum of the bytes as 16-bit words in memory order, folded to 16 bits. 0xffff over
// data with its checksum field means that it is right.
std::uint16_t ones_sum(const std::uint8_t* data, std::size_t size, std::uint64_t start = 0);

// Sum of the pseudo header of TCP, UDP and ICMPv6, to start ones_sum with.
std::uint64_t pseudo_header_sum(const Address& source, const Address& destination,
                                std::uint8_t protocol, std::uint32_t length);

}  // namespace amoskys::flow
