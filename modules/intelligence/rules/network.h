// Addresses and networks in text form, IPv4 and IPv6.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace amoskys::rules {

struct Network {
    std::array<std::uint8_t, 16> address{};  // IPv4 in the first four bytes
    std::uint8_t bits = 0;
    bool is_v6 = false;
    bool has(std::string_view address_text) const;
};
// "10.0.0.0/8", "fe80::/10", an address alone; nothing where it is neither.
std::optional<Network> parse_network(std::string_view text);

}  // namespace amoskys::rules
