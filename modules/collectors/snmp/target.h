// Targets as the user writes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace amoskys::snmp {

struct Target {
    std::string text;       // as written, without the name: for messages
    std::string device_id;  // the name before "=", or the host
    std::string transport;  // udp, udp6, tcp, tcp6
    std::string host;       // name or address, without brackets
    std::uint16_t port = 161;
};

// [NAME=][udp:|udp6:|tcp:|tcp6:]HOST[:PORT]; an IPv6 address stands in brackets where a port
// follows. HOST is at most 253, NAME at most 128 printable characters.
Result<Target> parse_target(std::string_view text);
Result<> check_target(std::string_view text);  // the same, of an option

}  // namespace amoskys::snmp
