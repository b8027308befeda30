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

using Pair [[gnu::vector_size(16)]] = std::uint64_t;

std::uint16_t in_memory_order(std::uint16_t host) {
    if constexpr (std::endian::native == std::endian::little)
        return static_cast<std::uint16_t>((host << 8U) | (host >> 8U));
    return host;
}

}  // namespace

std::uint16_t ones_sum(const std::uint8_t* data, std::size_t size, std::uint64_t start) {
    // Independent sums of 32-bit words, two at a time: they cannot overflow below 16 GiB of data.
    constexpr Pair half = {0xffffffff, 0xffffffff};
    Pair low[2] = {{start, 0}, {}}, high[2] = {};
    while (size >= 2 * sizeof(Pair)) {
        for (std::size_t i = 0; i < 2; ++i) {
            const auto pair = load<Pair>(data + i * sizeof(Pair));
            low[i] += pair & half;
            high[i] += pair >> 32U;
        }
        data += 2 * sizeof(Pair);
        size -= 2 * sizeof(Pair);
    }
    const Pair sums = low[0] + low[1] + high[0] + high[1];
    std::uint64_t total = 0;
    for (const std::uint64_t part : {sums[0], sums[1]})
        total += (part & 0xffffffffULL) + (part >> 32U);
    while (size >= 4) {
        total += load<std::uint32_t>(data);
        data += 4;
        size -= 4;
    }
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
