#include "modules/collectors/flow/community_id.h"

#include "core/crypto/hash.h"
#include "modules/collectors/flow/packet.h"

namespace amoskys::flow {

std::string community_id(const FlowKey& key, std::uint16_t seed) {
    std::array<std::uint8_t, 40> input;
    std::size_t size = 0;
    const auto put16 = [&](std::uint16_t value) {
        input[size++] = static_cast<std::uint8_t>(value >> 8U);
        input[size++] = static_cast<std::uint8_t>(value & 0xffU);
    };
    const std::size_t skip = key.version == 4 ? 12 : 0;
    const auto put_address = [&](const Address& address) {
        std::memcpy(input.data() + size, address.bytes.data() + skip, 16 - skip);
        size += 16 - skip;
    };
    put16(seed);
    put_address(key.low);
    put_address(key.high);
    input[size++] = key.protocol;
    input[size++] = 0;
    const bool ports = key.protocol == protocol_tcp || key.protocol == protocol_udp ||
                       key.protocol == protocol_sctp || key.protocol == protocol_icmp ||
                       key.protocol == protocol_icmp6;
    if (ports) {
        put16(key.low_port);
        put16(key.high_port);
    }
    const auto digest = crypto::sha1({input.data(), size});
    return "1:" + to_base64(digest);
}

}  // namespace amoskys::flow
