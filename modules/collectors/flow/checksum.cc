#include "modules/collectors/flow/checksum.h"

#include <bit>
#include <cstring>

namespace amoskys::flow {
namespace {

template <class T>
T load(const std::uint8_t* data) {
    T value;
    std::memcpy(&value, data, sizeof value);
    return value;
}

std::uint16_t in_memory_order(std::uint16_t host) {
    if constexpr (std::endian::native == std::endian::little)
        return static_cast<std::uint16_t>((host << 8U) | (host >> 8U));
    return host;
}

}  // namespace

std::uint16_t ones_sum(const std::uint8_t* data, std::size_t size, std::uint64_t start) {
    // Four independent sums of 32-bit words: they cannot overflow below 16 GiB of data.
    std::uint64_t sum[4] = {start, 0, 0, 0};
    while (size >= 16) {
        for (std::size_t i = 0; i < 4; ++i)
            sum[i] += load<std::uint32_t>(data + 4 * i);
        data += 16;
        size -= 16;
    }
    std::uint64_t total = 0;
    for (const std::uint64_t part : sum)
        total += (part & 0xffffffffULL) + (part >> 32U);
    while (size >= 2) {
        total += load<std::uint16_t>(data);
        data += 2;
        size -= 2;
    }
    if (size == 1)
        total += in_memory_order(static_cast<std::uint16_t>(*data << 8U));
    while (total >> 16U != 0)
        total = (total & 0xffffU) + (total >> 16U);
    return static_cast<std::uint16_t>(total);
}

std::uint64_t pseudo_header_sum(const Address& source, const Address& destination,
                                std::uint8_t protocol, std::uint32_t length) {
    std::uint64_t sum = 0;
    // The ::ffff: of an IPv4 address adds 0xffff, which is zero in one's complement.
    for (std::size_t i = 0; i < 16; i += 4)
        sum += std::uint64_t{load<std::uint32_t>(source.bytes.data() + i)} +
               load<std::uint32_t>(destination.bytes.data() + i);
    sum += in_memory_order(protocol);
    sum += in_memory_order(static_cast<std::uint16_t>(length >> 16U));
    sum += in_memory_order(static_cast<std::uint16_t>(length & 0xffffU));
    return sum;
}

}  // namespace amoskys::flow
