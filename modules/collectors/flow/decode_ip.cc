// IPv4 (RFC 791), IPv6 (RFC 8200), TCP, UDP, ICMP headers.
#include "modules/collectors/flow/checksum.h"
#include "modules/collectors/flow/walk.h"

namespace amoskys::flow {
namespace {

// RFC 792 and RFC 4443: the type that answers this one; false where nothing does.
bool icmp_counterpart(std::uint8_t version, std::uint8_t type, std::uint16_t& other) {
    constexpr std::uint8_t pairs_4[][2] = {{8, 0}, {13, 14}, {15, 16}, {10, 9}, {17, 18}};
    constexpr std::uint8_t pairs_6[][2] = {{128, 129}, {133, 134}, {135, 136},
                                           {130, 131}, {139, 140}, {144, 145}};
    const auto* pairs = version == 4 ? pairs_4 : pairs_6;
    const std::size_t count = version == 4 ? std::size(pairs_4) : std::size(pairs_6);
    for (std::size_t i = 0; i < count; ++i) {
        if (pairs[i][0] == type || pairs[i][1] == type) {
            other = pairs[i][0] == type ? pairs[i][1] : pairs[i][0];
            return true;
        }
    }
    return false;
}

// What both versions' fragments take from the packet so far.
Next end_fragment(Walk& walk, Fragment fragment) {
    fragment.source = walk.ip.source;
    fragment.destination = walk.ip.destination;
    fragment.protocol = walk.ip.protocol;
    fragment.ttl = walk.ip.ttl;
    fragment.data = {walk.data, walk.left};
    fragment.layers = walk.layers;
    walk.out.fragment = fragment;
    return walk.end(Verdict::fragment);
}

Next ipv4(Walk& walk) {
    if (!walk.has(20))
        return walk.cut();
    const std::uint8_t* h = walk.data;
    const std::uint32_t header = (h[0] & 0xfU) * 4U;
    std::uint32_t total = be16(h + 2);
    if (h[0] >> 4U != 4 || header < 20)
        return walk.end(Verdict::malformed);
    if (total == 0)  // segmentation offload: the length did not fit
        total = walk.wire;
    if (total < header)
        return walk.end(Verdict::malformed);
    if (total > walk.wire || !walk.has(header))
        return walk.end(Verdict::truncated);
    if (walk.verify_checksums && ones_sum(h, header) != 0xffff)
        return walk.end(Verdict::bad_checksum);
    walk.limit(total);
    walk.ip = {};
    walk.ip.source = address_v4(h + 12);
    walk.ip.destination = address_v4(h + 16);
    walk.ip.protocol = h[9];
    walk.ip.ttl = h[8];
    walk.ip.total_bytes = total;
    const std::uint16_t fragment = be16(h + 6);
    walk.skip(header);
    if ((fragment & 0x3fffU) == 0)
        return Next::transport;
    if (walk.left < walk.wire)
        return walk.end(Verdict::truncated);
    Fragment out;
    out.id = be16(h + 4);
    out.version = 4;
    out.more = (fragment & 0x2000U) != 0;
    out.header_bytes = header;
    out.offset = (fragment & 0x1fffU) * 8U;
    return end_fragment(walk, out);
}

// Afterwards walk.ip.protocol is the first that is no extension.
Next ipv6_extensions(Walk& walk) {
    const std::uint32_t before = walk.wire;
    for (unsigned i = 0; i < max_steps; ++i) {
        const std::uint8_t kind = walk.ip.protocol;
        const bool fragment = kind == 44;
        if (kind != 0 && kind != 43 && kind != 51 && kind != 60 && kind != 135 && !fragment)
            return Next::transport;
        if (!walk.has(8))
            return walk.cut();
        const std::uint8_t* h = walk.data;
        const std::uint32_t size = fragment ? 8 : kind == 51 ? (h[1] + 2U) * 4U : (h[1] + 1U) * 8U;
        if (!walk.has(size))
            return walk.cut();
        if (kind == 43 && h[3] != 0)  // segments left: the destination is not the last one
            walk.ip.may_verify = false;
        walk.ip.protocol = h[0];
        walk.skip(size);
        const std::uint16_t place = fragment ? be16(h + 2) : std::uint16_t{0};
        if (!fragment || (place & 0xfff9U) == 0)  // an atomic fragment is whole (RFC 6946)
            continue;
        if (walk.left < walk.wire)
            return walk.end(Verdict::truncated);
        Fragment out;
        out.id = be32(h + 4);
        out.version = 6;
        out.more = (place & 1U) != 0;
        out.header_bytes = 40 + (before - walk.wire) - 8;
        out.offset = place & 0xfff8U;
        return end_fragment(walk, out);
    }
    return walk.end(Verdict::malformed);
}

Next ipv6(Walk& walk) {
    if (!walk.has(40))
        return walk.cut();
    const std::uint8_t* h = walk.data;
    if (h[0] >> 4U != 6)
        return walk.end(Verdict::malformed);
    const std::uint32_t length = be16(h + 4);
    const std::uint32_t total = length == 0 ? walk.wire : length + 40;
    if (total > walk.wire)
        return walk.end(Verdict::truncated);
    walk.limit(total);
    walk.ip = {};
    walk.ip.source = address_v6(h + 8);
    walk.ip.destination = address_v6(h + 24);
    walk.ip.version = 6;
    walk.ip.protocol = h[6];
    walk.ip.ttl = h[7];
    walk.ip.total_bytes = total;
    walk.skip(40);
    return Next::extensions;
}

bool checksum_wrong(const Walk& walk, std::uint32_t length, bool pseudo) {
    if (!walk.verify_checksums || !walk.ip.may_verify || walk.left < length)
        return false;
    const std::uint64_t start =
        pseudo ? pseudo_header_sum(walk.ip.source, walk.ip.destination, walk.ip.protocol, length)
               : 0;
    return ones_sum(walk.data, length, start) != 0xffff;
}

// The first three of the key's parts that every kind of packet has.
Packet& add_packet(Walk& walk, std::uint16_t source_port, std::uint16_t destination_port,
                   bool one_way) {
    Packet& packet = walk.out.packets[walk.out.count++];
    const IpInfo& ip = walk.ip;
    packet.source_port = source_port;
    packet.destination_port = destination_port;
    const auto order = ip.source <=> ip.destination;
    packet.source_is_low = one_way || order < 0 || (order == 0 && source_port <= destination_port);
    FlowKey& key = packet.key;
    key.low = packet.source_is_low ? ip.source : ip.destination;
    key.high = packet.source_is_low ? ip.destination : ip.source;
    key.low_port = packet.source_is_low ? source_port : destination_port;
    key.high_port = packet.source_is_low ? destination_port : source_port;
    key.protocol = ip.protocol;
    key.version = ip.version;
    key.one_way = one_way ? 1 : 0;
    key.unused = 0;
    packet.broadcast = ip.version == 4 && be32(ip.destination.bytes.data() + 12) == 0xffffffffU;
    packet.bad_checksum = false;
    packet.ttl = ip.ttl;
    packet.tcp_flags = 0;
    packet.carries = Tunnel::none;
    packet.ip_bytes = ip.total_bytes;
    packet.layers = walk.layers;
    return packet;
}

void set_payload(const Walk& walk, std::uint32_t header, std::uint32_t payload_bytes,
                 Packet& packet) {
    packet.payload_bytes = payload_bytes;
    const std::uint32_t captured = walk.left > header ? walk.left - header : 0;
    packet.payload = {walk.data + (captured > 0 ? header : 0),
                      captured < payload_bytes ? captured : payload_bytes};
}

Next tcp(Walk& walk) {
    if (walk.wire < 20 || !walk.has(20))
        return walk.cut();
    const std::uint8_t* h = walk.data;
    const std::uint32_t header = (h[12] >> 4U) * 4U;
    if (header < 20 || header > walk.wire)
        return walk.end(Verdict::malformed);
    if (!walk.has(header))
        return walk.end(Verdict::truncated);
    Packet& packet = add_packet(walk, be16(h), be16(h + 2), false);
    packet.sequence = be32(h + 4);
    packet.acknowledged = be32(h + 8);
    packet.tcp_flags = h[13];
    packet.window = be16(h + 14);
    packet.bad_checksum = checksum_wrong(walk, walk.wire, true);
    set_payload(walk, header, walk.wire - header, packet);
    return walk.end(Verdict::packets);
}

Next udp(Walk& walk) {
    if (!walk.has(8))
        return walk.cut();
    const std::uint8_t* h = walk.data;
    const std::uint16_t source = be16(h), destination = be16(h + 2);
    std::uint32_t length = be16(h + 4);
    if (length < 8 ||
        length > walk.wire)  // zero stands for a jumbogram; nonsense for what is there
        length = walk.wire;
    Packet& packet = add_packet(walk, source, destination, false);
    const bool given = walk.ip.version == 6 || be16(h + 6) != 0;
    packet.bad_checksum = given && checksum_wrong(walk, length, true);
    set_payload(walk, 8, length - 8, packet);
    walk.out.verdict = Verdict::packets;
    if (packet.bad_checksum || walk.out.count == Decoded::max_packets)
        return Next::done;
    walk.limit(length);
    walk.skip(8);
    return tunnel_in_udp(walk, source, destination, packet.carries);
}

Next icmp(Walk& walk) {
    if (!walk.has(8))
        return walk.cut();
    const std::uint8_t type = walk.data[0];
    std::uint16_t other = walk.data[1];
    const bool one_way = !icmp_counterpart(walk.ip.version, type, other);
    Packet& packet = add_packet(walk, type, other, one_way);
    packet.bad_checksum = checksum_wrong(walk, walk.wire, walk.ip.version == 6);
    set_payload(walk, 8, walk.wire - 8, packet);
    return walk.end(Verdict::packets);
}

void add_transport(Walk& walk, std::uint16_t source_port, std::uint16_t destination_port,
                   std::uint32_t header) {
    set_payload(walk, header, walk.wire - header,
                add_packet(walk, source_port, destination_port, false));
}

Next transport(Walk& walk) {
    switch (walk.ip.protocol) {
        case protocol_tcp:
            return tcp(walk);
        case protocol_udp:
            return udp(walk);
        case protocol_icmp:
            if (walk.ip.version == 4)
                return icmp(walk);
            break;
        case protocol_icmp6:
            if (walk.ip.version == 6)
                return icmp(walk);
            break;
        case protocol_sctp:
            if (!walk.has(12))
                return walk.cut();
            add_transport(walk, be16(walk.data), be16(walk.data + 2), 12);
            return walk.end(Verdict::packets);
        case 4:
            return walk.enter(Tunnel::ip_ip, 0) ? Next::ipv4 : walk.end(Verdict::too_deep);
        case 41:
            return walk.enter(Tunnel::six_in_four, 0) ? Next::ipv6 : walk.end(Verdict::too_deep);
        case 47:
            return Next::gre;
        case 59:  // IPv6: nothing follows, as in Teredo's bubbles
            return walk.end(Verdict::not_ip);
        default:
            break;
    }
    add_transport(walk, 0, 0, 0);
    return walk.end(Verdict::packets);
}

}  // namespace

Next ip_step(Walk& walk, Next next) {
    switch (next) {
        case Next::ip: {
            if (!walk.has(1))
                return walk.cut();
            const unsigned version = walk.data[0] >> 4U;
            return version == 4   ? Next::ipv4
                   : version == 6 ? Next::ipv6
                                  : walk.end(Verdict::malformed);
        }
        case Next::ipv4:
            return ipv4(walk);
        case Next::ipv6:
            return ipv6(walk);
        case Next::extensions:
            return ipv6_extensions(walk);
        case Next::transport:
            return transport(walk);
        default:
            return walk.end(Verdict::not_ip);
    }
}

}  // namespace amoskys::flow
