// Octets that a device sends as texts for people: DISPLAY-HINTs and DateAndTime of RFC 2579, and
// UTF-8 out of anything. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace amoskys::snmp {

// Octets that are no UTF-8 become U+FFFD.
std::string to_utf8(std::string_view raw);

// RFC 2579 section 3.1, for octet strings: "1x:", "2d-1d-1d,1d:1d:1d.1d,1a1d:1d", "255a".
bool valid_hint(std::string_view hint);
// Nothing for a hint that is none. The result is UTF-8.
std::optional<std::string> by_hint(std::string_view hint, std::string_view octets);

// "2018-06-28T04:23:52.1Z", "...+02:00", or without zone where none was sent. Nothing for octets
// that are no DateAndTime.
std::optional<std::string> date_and_time(std::string_view octets);

}  // namespace amoskys::snmp
