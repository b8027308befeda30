#include "modules/collectors/flow/address.h"

#include <arpa/inet.h>

#include <charconv>
#include <iterator>

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
    if (version == 6) {
        ::inet_ntop(AF_INET6, address.bytes.data(), text, sizeof text);
        return text;
    }
    char* end = text;
    for (std::size_t i = 12; i < 16; ++i) {
        if (i > 12)
            *end++ = '.';
        end = std::to_chars(end, std::end(text), address.bytes[i]).ptr;
    }
    return {text, end};
}

std::uint64_t hash_key(const FlowKey& key, std::uint64_t secret) {
    // A factor of 0 would forget the other one: the first words of IPv4 addresses are 0, and so may
    // the secret be.
    secret ^= 0x9e3779b97f4a7c15ULL;
    const std::uint64_t a = mix(key.word(0) ^ secret, key.word(1) ^ 0xa0761d6478bd642fULL);
    const std::uint64_t b = mix(key.word(2) ^ secret, key.word(3) ^ 0xe7037ed1a0b428dbULL);
    return mix(a ^ key.word(4), b ^ 0x8ebc6af09c88c6e3ULL ^ secret);
}

}  // namespace amoskys::flow
