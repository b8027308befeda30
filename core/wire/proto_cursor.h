// A reader of protobuf's wire format over a view, without allocating: what the frame splitter, the
// envelope cutter and the legacy reader share. It is strict where protobuf's own parser is lenient:
// varints must be minimal and groups do not exist.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "core/base/bytes.h"

namespace amoskys::wire {

enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

struct FieldTag {
    std::uint32_t number = 0;
    WireType type = WireType::varint;
};

// Moves `at` behind the varint; false on truncated, overlong or non-minimal input.
inline bool read_long_varint(const std::uint8_t*& at, const std::uint8_t* end,
                             std::uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 70 && at != end; shift += 7) {
        const std::uint8_t byte = *at++;
        if (shift == 63 && byte > 1)
            return false;  // beyond 64 bits
        value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
        if ((byte & 0x80U) == 0)
            return byte != 0 || shift == 0;
    }
    return false;
}

// Most tags, lengths and small numbers have one byte.
inline bool read_varint(const std::uint8_t*& at, const std::uint8_t* end, std::uint64_t& value) {
    if (at == end || *at >= 0x80U)
        return read_long_varint(at, end, value);
    value = *at++;
    return true;
}

class ProtoCursor {
  public:
    explicit ProtoCursor(ByteView data)
        : begin_(data.data()), at_(begin_), end_(begin_ + data.size()) {}

    bool at_end() const { return at_ == end_; }
    std::size_t position() const { return static_cast<std::size_t>(at_ - begin_); }
    std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

    // Each returns false on truncated, overlong or non-minimal input; the position is then
    // unspecified.
    bool varint(std::uint64_t& value) { return read_varint(at_, end_, value); }

    // Wire types 3 and 4 (groups), 6 and 7, and field number 0 are refused.
    bool tag(FieldTag& out) {
        std::uint64_t raw = 0;
        if (!varint(raw) || raw > 0xffffffffU)
            return false;
        const auto type = static_cast<unsigned>(raw & 7U);
        out.number = static_cast<std::uint32_t>(raw >> 3U);
        out.type = static_cast<WireType>(type);
        return out.number != 0 && (type <= 2 || type == 5);
    }

    bool bytes(ByteView& out) {
        std::uint64_t size = 0;
        return varint(size) && take(size, out);
    }

    bool fixed64(std::uint64_t& value) {
        ByteView view;
        if (!take(sizeof value, view))
            return false;
        static_assert(std::endian::native == std::endian::little);
        std::memcpy(&value, view.data(), sizeof value);
        return true;
    }

    bool skip(WireType type) {
        std::uint64_t number = 0;
        ByteView view;
        switch (type) {
            case WireType::varint:
                return varint(number);
            case WireType::bytes:
                return bytes(view);
            case WireType::fixed64:
                return take(8, view);
            case WireType::fixed32:
                return take(4, view);
        }
        return false;
    }

  private:
    bool take(std::uint64_t size, ByteView& out) {
        if (size > left())
            return false;
        out = {at_, static_cast<std::size_t>(size)};
        at_ += size;
        return true;
    }

    const std::uint8_t* begin_;
    const std::uint8_t* at_;
    const std::uint8_t* end_;
};

// The writing side, for bytes that must come out the same every time.
template <class Out>
void put_varint(Out& out, std::uint64_t value) {
    using Octet = typename Out::value_type;
    while (value >= 0x80U) {
        out.push_back(static_cast<Octet>((value & 0x7fU) | 0x80U));
        value >>= 7U;
    }
    out.push_back(static_cast<Octet>(value));
}

template <class Out>
void put_tag(Out& out, std::uint32_t number, WireType type) {
    put_varint(out, (static_cast<std::uint64_t>(number) << 3U) | static_cast<std::uint64_t>(type));
}

constexpr std::size_t varint_bytes(std::uint64_t value) {
    std::size_t size = 1;
    while (value >= 0x80U) {
        value >>= 7U;
        ++size;
    }
    return size;
}

}  // namespace amoskys::wire
