// Arithmetic of TCP's 32-bit sequence numbers.
#pragma once

#include <cstdint>

namespace amoskys::flow {

// How far a is ahead of b.
inline std::int32_t difference(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::int32_t>(a - b);
}
// With the number of times that it has wrapped.
inline std::uint64_t full(std::uint32_t sequence, std::uint16_t wraps) {
    return (std::uint64_t{wraps} << 32U) + sequence;
}
inline char letter_of(unsigned side, char upper) {
    return side == 0 ? upper : static_cast<char>(upper | 0x20);
}

}  // namespace amoskys::flow
