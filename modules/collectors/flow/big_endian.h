// Big-endian numbers on the packet path: written so that g++ makes one load and a byte swap of
// each (of the loops in core/base/bytes.h it makes loops).
#pragma once

#include <cstdint>

namespace amoskys::flow {

inline std::uint16_t be16(const std::uint8_t* in) {
    return static_cast<std::uint16_t>((in[0] << 8U) | in[1]);
}
inline std::uint32_t be24(const std::uint8_t* in) {
    return (std::uint32_t{in[0]} << 16U) | (std::uint32_t{in[1]} << 8U) | in[2];
}
inline std::uint32_t be32(const std::uint8_t* in) {
    return (std::uint32_t{in[0]} << 24U) | (std::uint32_t{in[1]} << 16U) |
           (std::uint32_t{in[2]} << 8U) | in[3];
}
inline std::uint64_t be64(const std::uint8_t* in) {
    return (std::uint64_t{in[0]} << 56U) | (std::uint64_t{in[1]} << 48U) |
           (std::uint64_t{in[2]} << 40U) | (std::uint64_t{in[3]} << 32U) |
           (std::uint64_t{in[4]} << 24U) | (std::uint64_t{in[5]} << 16U) |
           (std::uint64_t{in[6]} << 8U) | in[7];
}

}  // namespace amoskys::flow
