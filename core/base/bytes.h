// Views and buffers of octets, and the conversions that would otherwise be casts all over the code.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace amoskys {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(ByteView view) {
    return {view.begin(), view.end()};
}
inline std::string to_string(ByteView view) {
    return std::string(as_text(view));
}

// Lower-case hexadecimal; from_hex accepts both cases and returns false on an odd length or another
// character (out is then unspecified).
std::string to_hex(ByteView bytes);
bool from_hex(std::string_view text, Bytes& out);

// Standard base64 with padding (RFC 4648 section 4). from_base64 refuses anything else.
std::string to_base64(ByteView bytes);
bool from_base64(std::string_view text, Bytes& out);

// Big-endian integers as on the wire and in our disk formats.
inline void store_be32(std::uint8_t* out, std::uint32_t v) {
    for (int i = 3; i >= 0; --i, v >>= 8)
        out[i] = static_cast<std::uint8_t>(v & 0xffU);
}
inline void store_be64(std::uint8_t* out, std::uint64_t v) {
    for (int i = 7; i >= 0; --i, v >>= 8)
        out[i] = static_cast<std::uint8_t>(v & 0xffU);
}
inline std::uint32_t load_be32(const std::uint8_t* in) {
    std::uint32_t v = 0;
    for (int i = 0; i < 4; ++i)
        v = (v << 8) | in[i];
    return v;
}
inline std::uint64_t load_be64(const std::uint8_t* in) {
    std::uint64_t v = 0;
    for (int i = 0; i < 8; ++i)
        v = (v << 8) | in[i];
    return v;
}

}  // namespace amoskys
