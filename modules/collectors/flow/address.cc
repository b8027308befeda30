#include "modules/collectors/flow/address.h"

#include <arpa/inet.h>

namespace amoskys::flow {
namespace {

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

}  // namespace

std::string address_text(const Address& address, unsigned version) {
    char text[INET6_ADDRSTRLEN] = "";
    if (version == 4)
        ::inet_ntop(AF_INET, address.bytes.data() + 12, text, sizeof text);
    else
        ::inet_ntop(AF_INET6, address.bytes.data(), text, sizeof text);
    return text;
}

std::uint64_t hash_key(const FlowKey& key, std::uint64_t secret) {
    std::uint64_t word[5];
    std::memcpy(word, &key, sizeof word);
    // A factor of 0 would forget the other one: the first words of IPv4 addresses are 0, and so may
    // the secret be.
    secret ^= 0x9e3779b97f4a7c15ULL;
    const std::uint64_t a = mix(word[0] ^ secret, word[1] ^ 0xa0761d6478bd642fULL);
    const std::uint64_t b = mix(word[2] ^ secret, word[3] ^ 0xe7037ed1a0b428dbULL);
    return mix(a ^ word[4], b ^ 0x8ebc6af09c88c6e3ULL ^ secret);
}

}  // namespace amoskys::flow
