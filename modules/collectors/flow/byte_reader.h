// Reads big-endian fields from the front of bytes that may end anywhere. Once something is missing
// ok() is false and everything reads as zero or empty.
#pragma once

#include "core/base/bytes.h"

namespace amoskys::flow {

class ByteReader {
  public:
    explicit ByteReader(ByteView bytes) : rest_(bytes) {}
    bool ok() const { return ok_; }
    std::size_t left() const { return rest_.size(); }
    ByteView take(std::size_t size) {
        if (rest_.size() < size) {
            ok_ = false;
            rest_ = {};
            return {};
        }
        const ByteView out = rest_.first(size);
        rest_ = rest_.subspan(size);
        return out;
    }
    std::uint8_t u8() {
        const ByteView in = take(1);
        return in.empty() ? std::uint8_t{0} : in[0];
    }
    std::uint16_t u16() {
        const ByteView in = take(2);
        return in.empty() ? std::uint16_t{0} : static_cast<std::uint16_t>((in[0] << 8U) | in[1]);
    }
    std::uint32_t u24() {
        const ByteView in = take(3);
        return in.empty() ? 0
                          : (std::uint32_t{in[0]} << 16U) | (std::uint32_t{in[1]} << 8U) | in[2];
    }
    ByteView take_8() { return take(u8()); }  // with their length before them
    ByteView take_16() { return take(u16()); }

  private:
    ByteView rest_;
    bool ok_ = true;
};

}  // namespace amoskys::flow
