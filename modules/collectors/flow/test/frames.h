// Frames made here, for tests: small fixtures of our own that cover what the external traces do.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "modules/collectors/flow/checksum.h"
#include "modules/collectors/flow/packet.h"

namespace amoskys::flow {

class FrameBuilder {
  public:
    FrameBuilder& u8(unsigned value) {
        bytes.push_back(static_cast<std::uint8_t>(value));
        return *this;
    }
    FrameBuilder& u16(unsigned value) { return u8(value >> 8U).u8(value & 0xffU); }
    FrameBuilder& u32(std::uint32_t value) { return u16(value >> 16U).u16(value & 0xffffU); }
    FrameBuilder& text(std::string_view value) {
        bytes.insert(bytes.end(), value.begin(), value.end());
        return *this;
    }
    FrameBuilder& append(const std::vector<std::uint8_t>& more) {
        bytes.insert(bytes.end(), more.begin(), more.end());
        return *this;
    }
    std::vector<std::uint8_t> bytes;
};

using Raw = std::vector<std::uint8_t>;

inline Raw ethernet(unsigned type, const Raw& inner) {
    return FrameBuilder().text("\2\2\2\2\2\2\4\4\4\4\4\4").u16(type).append(inner).bytes;
}

// 10.0.0.`from` to 10.0.0.`to`, with a right header checksum.
inline Raw ipv4(unsigned from, unsigned to, unsigned protocol, const Raw& inner,
                unsigned fragment = 0x4000, unsigned id = 1) {
    Raw header = FrameBuilder()
                     .u16(0x4500)
                     .u16(static_cast<unsigned>(20 + inner.size()))
                     .u16(id)
                     .u16(fragment)
                     .u8(64)
                     .u8(protocol)
                     .u16(0)
                     .u32(0x0a000000U + from)
                     .u32(0x0a000000U + to)
                     .bytes;
    std::uint16_t sum = ones_sum(header.data(), header.size());
    sum = static_cast<std::uint16_t>(~sum);
    std::memcpy(header.data() + 10, &sum, 2);
    return FrameBuilder().append(header).append(inner).bytes;
}

inline Raw udp(unsigned source, unsigned destination, const Raw& payload) {
    return FrameBuilder()
        .u16(source)
        .u16(destination)
        .u16(static_cast<unsigned>(8 + payload.size()))
        .u16(0)
        .append(payload)
        .bytes;
}

// The checksum is left zero: for engines that do not verify.
inline Raw tcp(unsigned source, unsigned destination, unsigned flags, std::uint32_t sequence,
               std::uint32_t acknowledged, std::string_view payload = {}, unsigned window = 1000) {
    return FrameBuilder()
        .u16(source)
        .u16(destination)
        .u32(sequence)
        .u32(acknowledged)
        .u8(0x50)
        .u8(flags)
        .u16(window)
        .u32(0)
        .text(payload)
        .bytes;
}

inline Raw raw(std::string_view text) {
    return {text.begin(), text.end()};
}

}  // namespace amoskys::flow
