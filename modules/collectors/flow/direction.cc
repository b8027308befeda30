#include "modules/collectors/flow/direction.h"

#include <algorithm>
#include <iterator>

namespace amoskys::flow {
namespace {

// Ascending.
constexpr std::uint16_t tcp_ports[] = {
    21,   22,   23,   25,   43,   53,   79,   80,   81,   88,   102,   110,  111,  113,  119,  135,
    139,  143,  179,  389,  443,  445,  502,  513,  514,  515,  554,   563,  585,  587,  601,  614,
    631,  636,  853,  873,  989,  990,  992,  993,  995,  1080, 1433,  1434, 1521, 1720, 1883, 2049,
    2575, 2811, 3128, 3268, 3306, 3389, 4840, 5060, 5222, 5223, 5269,  5432, 5671, 5672, 5900, 6379,
    6514, 6666, 6667, 6668, 6669, 8000, 8080, 8443, 8883, 8888, 20000, 44818};
constexpr std::uint16_t udp_ports[] = {53,   67,   69,   88,   111,  123,   137,  161,  162,
                                       389,  443,  500,  514,  546,  547,   1194, 1812, 1813,
                                       2055, 2123, 2152, 3544, 4011, 4500,  4789, 5060, 5072,
                                       5353, 5355, 5683, 6081, 6343, 20000, 47808};

}  // namespace

bool likely_server_port(std::uint8_t protocol, std::uint16_t port) {
    if (protocol == protocol_tcp)
        return std::binary_search(std::begin(tcp_ports), std::end(tcp_ports), port);
    return protocol == protocol_udp &&
           std::binary_search(std::begin(udp_ports), std::end(udp_ports), port);
}

bool from_responder(const Packet& first) {
    const std::uint8_t protocol = first.key.protocol;
    const bool source = likely_server_port(protocol, first.source_port);
    const bool destination = likely_server_port(protocol, first.destination_port);
    if (protocol == protocol_udp)
        return source && !destination && !first.broadcast;
    if (protocol != protocol_tcp)
        return false;
    const bool with_syn = (first.tcp_flags & tcp_syn) != 0;
    const bool with_ack = (first.tcp_flags & tcp_ack) != 0;
    if (with_syn && !with_ack)
        return false;
    if (with_syn)  // a SYN+ACK answers, unless it looks like a scan of a server's port
        return source || !destination;
    if (source && destination)
        return first.source_port < first.destination_port;
    return source;
}

}  // namespace amoskys::flow
