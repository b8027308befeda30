// What carries IP inside IP: GRE (RFC 2784, 2890, 2637), ERSPAN, and the tunnels in UDP: VXLAN
// (RFC 7348), Geneve (RFC 8926), GTP-U (3GPP TS 29.281), Teredo (RFC 4380).
#include "core/base/bytes.h"
#include "modules/collectors/flow/walk.h"

namespace amoskys::flow {
namespace {

constexpr std::uint16_t vxlan_port = 4789, vxlan_linux_port = 8472, geneve_port = 6081,
                        gtp_port = 2152, teredo_port = 3544;

Next enter(Walk& walk, Tunnel tunnel, std::uint32_t id, Next next) {
    return walk.enter(tunnel, id) ? next : walk.end(Verdict::too_deep);
}

Next erspan(Walk& walk, bool with_sequence) {
    if (!with_sequence)  // type I: the frame follows at once
        return enter(walk, Tunnel::erspan, 0, Next::ethernet);
    if (!walk.has(8))
        return walk.cut();
    const std::uint32_t session = be16(walk.data + 2) & 0x3ffU;
    walk.skip(8);
    return enter(walk, Tunnel::erspan, session, Next::ethernet);
}

Next erspan_3(Walk& walk) {
    if (!walk.has(12))
        return walk.cut();
    const std::uint32_t session = be16(walk.data + 2) & 0x3ffU;
    const std::uint32_t size = (walk.data[11] & 1U) != 0 ? 20 : 12;
    if (!walk.has(size))
        return walk.cut();
    walk.skip(size);
    return enter(walk, Tunnel::erspan, session, Next::ethernet);
}

Next vxlan(Walk& walk) {
    if (!walk.has(8) || (walk.data[0] & 0x08U) == 0)
        return Next::done;
    const std::uint32_t vni = be24(walk.data + 4);
    walk.skip(8);
    return enter(walk, Tunnel::vxlan, vni, Next::ethernet);
}

Next geneve(Walk& walk) {
    if (!walk.has(8) || walk.data[0] >> 6U != 0)
        return Next::done;
    const std::uint32_t options = (walk.data[0] & 0x3fU) * 4U;
    const std::uint16_t type = be16(walk.data + 2);
    const std::uint32_t vni = be24(walk.data + 4);
    if (!walk.has(8 + options))
        return Next::done;
    walk.skip(8 + options);
    walk.type = type;
    return enter(walk, Tunnel::geneve, vni, Next::ether_type);
}

Next gtp(Walk& walk) {
    constexpr std::uint8_t t_pdu = 255;
    if (!walk.has(8) || walk.data[0] >> 4U != 3 || walk.data[1] != t_pdu)
        return Next::done;
    const unsigned flags = walk.data[0] & 7U;
    const std::uint32_t teid = load_be32(walk.data + 4);
    std::uint32_t header = 8;
    if (flags != 0) {
        if (!walk.has(12))
            return Next::done;
        header = 12;
        std::uint8_t extension = (flags & 4U) != 0 ? walk.data[11] : std::uint8_t{0};
        while (extension != 0) {
            if (!walk.has(header + 4))
                return Next::done;
            const std::uint32_t size = walk.data[header] * 4U;
            if (size == 0 || !walk.has(header + size))
                return Next::done;
            extension = walk.data[header + size - 1];
            header += size;
        }
    }
    if (!walk.has(header + 1))
        return Next::done;
    const unsigned version = walk.data[header] >> 4U;
    if (version != 4 && version != 6)
        return Next::done;
    walk.skip(header);
    return enter(walk, Tunnel::gtp, teid, Next::ip);
}

// An IPv6 header that fits the datagram, after the optional authentication and origin indications.
// On another port than Teredo's one of the addresses has to be of Teredo's prefix.
Next teredo(Walk& walk, bool on_port) {
    std::uint32_t at = 0;
    const auto indication = [&](std::uint8_t kind) {
        return walk.has(at + 4) && walk.data[at] == 0 && walk.data[at + 1] == kind;
    };
    if (indication(1)) {
        at += 4U + walk.data[at + 2] + walk.data[at + 3] + 9U;
        if (!walk.has(at))
            return Next::done;
    }
    if (indication(0)) {
        at += 8;
        if (!walk.has(at))
            return Next::done;
    }
    if (!walk.has(at + 40) || walk.data[at] >> 4U != 6)
        return Next::done;
    const std::uint8_t* header = walk.data + at;
    if (be16(header + 4) + 40U > walk.wire - at)
        return Next::done;
    const auto of_teredo = [](const std::uint8_t* address) {
        return load_be32(address) == 0x20010000U;
    };
    if (!on_port && !of_teredo(header + 8) && !of_teredo(header + 24))
        return Next::done;
    walk.skip(at);
    return enter(walk, Tunnel::teredo, 0, Next::ipv6);
}

}  // namespace

Next gre_step(Walk& walk) {
    if (!walk.has(4))
        return walk.cut();
    const std::uint16_t flags = be16(walk.data);
    const std::uint16_t type = be16(walk.data + 2);
    const bool with_sequence = (flags & 0x1000U) != 0;
    std::uint32_t header = 4;
    std::uint32_t key = 0;
    if ((flags & 0xc000U) != 0)  // checksum, or the routing of RFC 1701
        header += 4;
    if ((flags & 0x2000U) != 0) {
        if (!walk.has(header + 4))
            return walk.cut();
        key = load_be32(walk.data + header);
        header += 4;
    }
    if (with_sequence)
        header += 4;
    if ((flags & 7U) == 1 && (flags & 0x0080U) != 0)  // PPTP's acknowledgement
        header += 4;
    if (!walk.has(header))
        return walk.cut();
    if ((flags & 0x4000U) != 0 || (flags & 7U) > 1)
        return walk.end(Verdict::not_ip);
    walk.skip(header);
    walk.type = type;
    switch (type) {
        case 0x88be:
            return erspan(walk, with_sequence);
        case 0x22eb:
            return erspan_3(walk);
        case 0x880b:
            return enter(walk, Tunnel::gre, key, Next::ppp);
        default:
            return enter(walk, Tunnel::gre, key, Next::ether_type);
    }
}

Next tunnel_in_udp(Walk& walk, std::uint16_t source_port, std::uint16_t destination_port,
                   Tunnel& carries) {
    const Layers before = walk.layers;
    Next next = Next::done;
    if (destination_port == vxlan_port || destination_port == vxlan_linux_port)
        next = vxlan(walk);
    else if (destination_port == geneve_port)
        next = geneve(walk);
    else if (destination_port == gtp_port || source_port == gtp_port)
        next = gtp(walk);
    else
        next = teredo(walk, destination_port == teredo_port || source_port == teredo_port);
    if (walk.layers.tunnels > before.tunnels)
        carries = walk.layers.tunnel[before.tunnels];
    return next;
}

}  // namespace amoskys::flow
