#include "modules/collectors/snmp/target.h"

#include <algorithm>
#include <charconv>

#include "core/base/text.h"

namespace amoskys::snmp {
namespace {

Error wrong(std::string_view text, std::string_view what) {
    return make_error(ErrorKind::config, "snmp_target_invalid",
                      "agent.snmp.target: " + printable(text) + ": " + std::string(what),
                      "[NAME=][udp:|udp6:|tcp:|tcp6:]HOST[:PORT], as udp:192.0.2.7:161 or "
                      "core1=udp6:[2001:db8::7]");
}

bool plain(std::string_view text, std::size_t limit) {
    return !text.empty() && text.size() <= limit &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c < 127; });
}

}  // namespace

Result<Target> parse_target(std::string_view whole) {
    Target target;
    std::string_view rest = whole;
    if (const auto equals = rest.find('='); equals != std::string_view::npos) {
        target.device_id = rest.substr(0, equals);
        rest.remove_prefix(equals + 1);
        if (!plain(target.device_id, 128))
            return wrong(whole, "the name is 1 to 128 printable characters without spaces");
    }
    target.text = rest;
    target.transport = "udp";
    for (const std::string_view transport : {"udp6", "tcp6", "udp", "tcp"})
        if (rest.starts_with(transport) && rest.substr(transport.size()).starts_with(':')) {
            target.transport = transport;
            rest.remove_prefix(transport.size() + 1);
            break;
        }
    std::string_view port;
    if (rest.starts_with('[')) {
        const auto close = rest.find(']');
        if (close == std::string_view::npos)
            return wrong(whole, "] is missing");
        target.host = rest.substr(1, close - 1);
        rest.remove_prefix(close + 1);
        if (!rest.empty() && (rest.front() != ':' || rest.size() == 1))
            return wrong(whole, "after ] comes :PORT or nothing");
        port = rest.empty() ? rest : rest.substr(1);
    } else if (std::ranges::count(rest, ':') == 1) {
        const auto colon = rest.find(':');
        target.host = rest.substr(0, colon);
        port = rest.substr(colon + 1);
        if (port.empty())
            return wrong(whole, "the port is missing");
    } else {
        target.host = rest;  // a name, or an IPv6 address without port
    }
    if (!plain(target.host, 253) || target.host.find_first_of("[]/=,") != std::string::npos)
        return wrong(whole, "the host is missing or not a host name or address");
    if (target.host.find(':') != std::string::npos && !target.transport.ends_with('6'))
        target.transport += '6';
    if (!port.empty()) {
        unsigned number = 0;
        const auto [end, failed] = std::from_chars(port.data(), port.data() + port.size(), number);
        if (failed != std::errc() || end != port.data() + port.size() || number == 0 ||
            number > 65535)
            return wrong(whole, "port " + printable(port) + " is not in 1..65535");
        target.port = static_cast<std::uint16_t>(number);
    }
    if (target.device_id.empty())
        target.device_id = target.host;
    return target;
}

Result<> check_target(std::string_view text) {
    if (const auto target = parse_target(text); !target)
        return target.error();
    return {};
}

}  // namespace amoskys::snmp
