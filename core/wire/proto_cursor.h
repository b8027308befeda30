// A reader of protobuf's wire format over a view, without allocating: what the frame splitter, the
// envelope cutter and the legacy reader share. It is strict where protobuf's own parser is lenient:
// varints must be minimal and groups do not exist.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/base/bytes.h"

namespace amoskys::wire {

enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

struct FieldTag {
    std::uint32_t number = 0;
    WireType type = WireType::varint;
};

class ProtoCursor {
  public:
    explicit ProtoCursor(ByteView data) : data_(data) {}

    bool at_end() const { return position_ == data_.size(); }
    std::size_t position() const { return position_; }
    std::size_t left() const { return data_.size() - position_; }

    // Each returns false on truncated, overlong or non-minimal input; the position is then
    // unspecified.
    bool varint(std::uint64_t& value) {
        value = 0;
        for (unsigned shift = 0; shift < 70; shift += 7) {
            if (at_end())
                return false;
            const std::uint8_t byte = data_[position_++];
            if (shift == 63 && byte > 1)
                return false;  // beyond 64 bits
            value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
            if ((byte & 0x80U) == 0)
                return byte != 0 || shift == 0;
        }
        return false;
    }

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
        out = data_.subspan(position_, size);
        position_ += size;
        return true;
    }

    ByteView data_;
    std::size_t position_ = 0;
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
