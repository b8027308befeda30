// Link layers: what stands before the IP header.
#include "modules/collectors/flow/walk.h"

namespace amoskys::flow {
namespace {

constexpr std::uint16_t type_ipv4 = 0x0800, type_ipv6 = 0x86dd;

Next by_ether_type(Walk& walk) {
    switch (walk.type) {
        case type_ipv4:
            return Next::ipv4;
        case type_ipv6:
            return Next::ipv6;
        case 0x8847:
        case 0x8848:
            return Next::mpls;
        case 0x8864:
            return Next::pppoe;
        case 0x6558:  // transparent Ethernet bridging
            return Next::ethernet;
        case 0x8100:
        case 0x88a8:
        case 0x9100: {
            if (!walk.has(4))
                return walk.cut();
            const auto id = static_cast<std::uint16_t>(be16(walk.data) & 0xfffU);
            if (walk.layers.vlan == Layers::no_vlan)
                walk.layers.vlan = id;
            else
                walk.layers.inner_vlan = id;
            walk.type = be16(walk.data + 2);
            walk.skip(4);
            return walk.type < 1536 ? Next::llc : Next::ether_type;
        }
        default:
            return walk.end(Verdict::not_ip);
    }
}

Next ethernet(Walk& walk) {
    if (!walk.has(14))
        return walk.cut();
    walk.type = be16(walk.data + 12);
    walk.skip(14);
    return walk.type < 1536 ? Next::llc : Next::ether_type;
}

// IEEE 802.2; only the SNAP form of it carries IP.
Next llc(Walk& walk) {
    if (!walk.has(8))
        return walk.end(Verdict::not_ip);
    const bool snap = walk.data[0] == 0xaa && walk.data[1] == 0xaa && walk.data[2] == 3;
    if (!snap)
        return walk.end(Verdict::not_ip);
    walk.type = be16(walk.data + 6);
    walk.skip(8);
    return Next::ether_type;
}

// RFC 3032. Nothing says what is inside: the first nibble is that of an IP header, or zero for the
// control word of a pseudo wire (RFC 4385) with Ethernet in it.
Next mpls(Walk& walk) {
    bool bottom = false;
    while (!bottom) {
        if (!walk.has(4))
            return walk.cut();
        bottom = (walk.data[2] & 1U) != 0;
        walk.skip(4);
    }
    if (!walk.has(1))
        return walk.cut();
    const unsigned nibble = walk.data[0] >> 4U;
    if (nibble == 4)
        return Next::ipv4;
    if (nibble == 6)
        return Next::ipv6;
    if (nibble != 0)
        return walk.end(Verdict::not_ip);
    if (!walk.has(4))
        return walk.cut();
    walk.skip(4);
    return Next::ethernet;
}

Next pppoe(Walk& walk) {
    if (!walk.has(6))
        return walk.cut();
    if (walk.data[0] != 0x11 || walk.data[1] != 0)
        return walk.end(Verdict::malformed);
    const std::uint32_t length = be16(walk.data + 4);
    walk.skip(6);
    if (length > walk.wire)
        return walk.end(Verdict::truncated);
    walk.limit(length);
    return Next::ppp;
}

Next ppp(Walk& walk) {
    if (walk.has(2) && walk.data[0] == 0xff && walk.data[1] == 3)
        walk.skip(2);
    if (!walk.has(1))
        return walk.cut();
    // An odd first byte is a compressed protocol field (RFC 1661, 6.5).
    const std::uint32_t size = (walk.data[0] & 1U) != 0 ? 1 : 2;
    if (!walk.has(size))
        return walk.cut();
    const std::uint16_t protocol = size == 1 ? walk.data[0] : be16(walk.data);
    walk.skip(size);
    switch (protocol) {
        case 0x0021:
            return Next::ipv4;
        case 0x0057:
            return Next::ipv6;
        case 0x0281:
        case 0x0283:
            return Next::mpls;
        default:
            return walk.end(Verdict::not_ip);
    }
}

// IEEE 802.11 data frames that are not encrypted.
Next wifi(Walk& walk) {
    if (!walk.has(24))
        return walk.end(Verdict::not_ip);
    const unsigned type = (walk.data[0] >> 2U) & 3U;
    const unsigned subtype = walk.data[0] >> 4U;
    const unsigned flags = walk.data[1];
    const bool no_data = (subtype & 4U) != 0;
    if (type != 2 || no_data || (flags & 0x40U) != 0)
        return walk.end(Verdict::not_ip);
    std::uint32_t header = 24;
    if ((flags & 3U) == 3)  // four addresses
        header += 6;
    if ((subtype & 8U) != 0)  // QoS
        header += (flags & 0x80U) != 0 ? 6 : 2;
    if (!walk.has(header))
        return walk.cut();
    walk.skip(header);
    return Next::llc;
}

Next radiotap(Walk& walk) {
    if (!walk.has(4))
        return walk.cut();
    const std::uint32_t length = std::uint32_t{walk.data[2]} | (std::uint32_t{walk.data[3]} << 8U);
    if (length < 8 || !walk.has(length))
        return walk.cut();
    walk.skip(length);
    return Next::wifi;
}

// A four-byte address family, in the byte order of the machine that captured (null) or of the
// network (loop).
Next family(Walk& walk) {
    if (!walk.has(4))
        return walk.cut();
    const std::uint32_t in_order = (std::uint32_t{be16(walk.data)} << 16U) | be16(walk.data + 2);
    const std::uint32_t value =
        in_order <= 0xffff ? in_order : ((in_order >> 24U) | ((in_order >> 8U) & 0xff00U));
    walk.skip(4);
    switch (value) {
        case 2:
            return Next::ipv4;
        case 10:  // AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, macOS
        case 24:
        case 28:
        case 30:
            return Next::ipv6;
        default:
            return walk.end(Verdict::not_ip);
    }
}

Next cooked(Walk& walk, std::uint32_t header, std::uint32_t type_at) {
    if (!walk.has(header))
        return walk.cut();
    walk.type = be16(walk.data + type_at);
    walk.skip(header);
    return Next::ether_type;
}

}  // namespace

bool known_link(LinkType link) {
    switch (link) {
        case LinkType::null:
        case LinkType::ethernet:
        case LinkType::ppp:
        case LinkType::raw_12:
        case LinkType::raw_14:
        case LinkType::ppp_hdlc:
        case LinkType::raw:
        case LinkType::ieee802_11:
        case LinkType::loop:
        case LinkType::linux_sll:
        case LinkType::ieee802_11_radiotap:
        case LinkType::ipv4:
        case LinkType::ipv6:
        case LinkType::linux_sll2:
            return true;
    }
    return false;
}

Next start_of_link(Walk& walk, LinkType link) {
    switch (link) {
        case LinkType::ethernet:
            return Next::ethernet;
        case LinkType::raw_12:
        case LinkType::raw_14:
        case LinkType::raw:
            return Next::ip;
        case LinkType::ipv4:
            return Next::ipv4;
        case LinkType::ipv6:
            return Next::ipv6;
        case LinkType::null:
        case LinkType::loop:
            return family(walk);
        case LinkType::ppp:
        case LinkType::ppp_hdlc:
            return Next::ppp;
        case LinkType::linux_sll:
            return cooked(walk, 16, 14);
        case LinkType::linux_sll2:
            return cooked(walk, 20, 0);
        case LinkType::ieee802_11:
            return Next::wifi;
        case LinkType::ieee802_11_radiotap:
            return radiotap(walk);
    }
    return walk.end(Verdict::unknown_link);
}

Next link_step(Walk& walk, Next next) {
    switch (next) {
        case Next::ethernet:
            return ethernet(walk);
        case Next::ether_type:
            return by_ether_type(walk);
        case Next::llc:
            return llc(walk);
        case Next::mpls:
            return mpls(walk);
        case Next::pppoe:
            return pppoe(walk);
        case Next::ppp:
            return ppp(walk);
        case Next::wifi:
            return wifi(walk);
        default:
            return walk.end(Verdict::not_ip);
    }
}

}  // namespace amoskys::flow
