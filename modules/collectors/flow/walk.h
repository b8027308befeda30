// Inside of the decoder: a position in a frame and what is known so far. Included by the decoder's
// sources only.
#pragma once

#include "modules/collectors/flow/big_endian.h"
#include "modules/collectors/flow/packet.h"

namespace amoskys::flow {

// Headers of one frame that are looked at, at most.
inline constexpr unsigned max_steps = 32;

// What comes next in the frame.
enum class Next : std::uint8_t {
    done,  // walk.out.verdict says how it ended
    ethernet,
    ether_type,  // walk.type
    llc,
    mpls,
    pppoe,
    ppp,
    ip,  // version by its first nibble
    ipv4,
    ipv6,
    extensions,  // of IPv6, walk.ip
    transport,   // walk.ip
    gre,
    wifi,
};

struct IpInfo {
    Address source, destination;
    std::uint8_t version = 4, protocol = 0, ttl = 0;
    bool may_verify = true;  // not with a routing header, which changes the pseudo header
    std::uint32_t total_bytes = 0;
};

struct Walk {
    Walk(ByteView frame, std::uint32_t wire_bytes, bool verify, Decoded& decoded)
        : data(frame.data()),
          left(static_cast<std::uint32_t>(frame.size())),
          wire(wire_bytes),
          verify_checksums(verify),
          out(decoded) {}

    // Captured bytes from here on, and bytes on the wire (at least as many).
    const std::uint8_t* data;
    std::uint32_t left, wire;
    bool verify_checksums;
    std::uint16_t type = 0;
    IpInfo ip;
    Layers layers;
    Decoded& out;

    bool has(std::uint32_t bytes) const { return left >= bytes; }
    void skip(std::uint32_t bytes) {
        data += bytes;
        left -= bytes;
        wire -= bytes;
    }
    // Drops what is behind the length that a header gives: padding, trailers.
    void limit(std::uint32_t wire_bytes) {
        wire = wire_bytes;
        if (left > wire)
            left = wire;
    }
    Next end(Verdict verdict) {
        out.verdict = verdict;
        return Next::done;
    }
    Next cut() { return end(left < wire ? Verdict::truncated : Verdict::malformed); }
    // False where there is no room for it.
    bool enter(Tunnel tunnel, std::uint32_t id) {
        if (layers.tunnels == Layers::max_tunnels)
            return false;
        layers.tunnel[layers.tunnels] = tunnel;
        layers.tunnel_id[layers.tunnels] = id;
        ++layers.tunnels;
        return true;
    }
};

// decode_link.cc
Next start_of_link(Walk& walk, LinkType link);
Next link_step(Walk& walk, Next next);
// decode_ip.cc
Next ip_step(Walk& walk, Next next);
// decode_tunnel.cc: what a UDP payload carries; done (and the walk as it was) where it is nothing
// that we know.
Next tunnel_in_udp(Walk& walk, std::uint16_t source_port, std::uint16_t destination_port,
                   Tunnel& carries);
Next gre_step(Walk& walk);

}  // namespace amoskys::flow
