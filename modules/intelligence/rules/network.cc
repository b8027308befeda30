#include "modules/intelligence/rules/network.h"

#include <arpa/inet.h>

#include <cstring>
#include <string>

namespace amoskys::rules {
namespace {

std::optional<Network> parse_host(std::string_view text) {
    char copy[INET6_ADDRSTRLEN + 1];
    if (text.empty() || text.size() >= sizeof copy)
        return std::nullopt;
    std::memcpy(copy, text.data(), text.size());
    copy[text.size()] = 0;
    Network out;
    out.is_v6 = text.find(':') != text.npos;
    out.bits = out.is_v6 ? 128 : 32;
    if (::inet_pton(out.is_v6 ? AF_INET6 : AF_INET, copy, out.address.data()) != 1)
        return std::nullopt;
    return out;
}

}  // namespace

std::optional<Network> parse_network(std::string_view text) {
    const std::size_t slash = text.find('/');
    auto out = parse_host(text.substr(0, slash));
    if (!out || slash == text.npos)
        return out;
    unsigned bits = 0;
    const std::string_view digits = text.substr(slash + 1);
    if (digits.empty() || digits.size() > 3)
        return std::nullopt;
    for (const char c : digits) {
        if (c < '0' || c > '9')
            return std::nullopt;
        bits = bits * 10 + static_cast<unsigned>(c - '0');
    }
    if (bits > out->bits)
        return std::nullopt;
    out->bits = static_cast<std::uint8_t>(bits);
    return out;
}

bool Network::has(std::string_view address_text) const {
    const auto host = parse_host(address_text);
    if (!host || host->is_v6 != is_v6)
        return false;
    for (unsigned bit = 0; bit < bits; bit += 8) {
        const unsigned rest = bits - bit;
        const unsigned mask = rest >= 8 ? 0xffU : (0xff00U >> rest) & 0xffU;
        if (((address[bit / 8] ^ host->address[bit / 8]) & mask) != 0)
            return false;
    }
    return true;
}

}  // namespace amoskys::rules
