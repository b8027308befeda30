// Little-endian integers as in this folder's disk formats (record headers, zone entries, segment
// heads, and LMDB's own pages, which segment_reader.cc reads by itself). Used inside core/wal only.
#pragma once

#include <cstdint>
#include <cstring>

namespace amoskys::wal {

template <class T>
inline void store_le(std::uint8_t* out, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        out[i] = static_cast<std::uint8_t>(value & 0xffU);
        value = static_cast<T>(static_cast<std::uint64_t>(value) >> 8);
    }
}

template <class T>
inline T load_le(const std::uint8_t* in) {
    std::uint64_t value = 0;
    for (std::size_t i = sizeof(T); i-- > 0;)
        value = (value << 8) | in[i];
    return static_cast<T>(value);
}

}  // namespace amoskys::wal
