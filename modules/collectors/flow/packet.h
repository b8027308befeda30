// What the decoder finds in a frame. Views into the frame: valid as long as it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/base/bytes.h"
#include "modules/collectors/flow/address.h"

namespace amoskys::flow {

inline constexpr std::uint8_t protocol_icmp = 1, protocol_tcp = 6, protocol_udp = 17,
                              protocol_icmp6 = 58, protocol_sctp = 132;

inline constexpr std::uint8_t tcp_fin = 1, tcp_syn = 2, tcp_rst = 4, tcp_ack = 16;

// Link types of capture files and libpcap (the numbers of the pcap file format).
enum class LinkType : std::uint32_t {
    null = 0,
    ethernet = 1,
    ppp = 9,
    raw_12 = 12,
    raw_14 = 14,
    ppp_hdlc = 50,
    raw = 101,
    ieee802_11 = 105,
    loop = 108,
    linux_sll = 113,
    ieee802_11_radiotap = 127,
    ipv4 = 228,
    ipv6 = 229,
    linux_sll2 = 276,
};
bool known_link(LinkType link);

enum class Tunnel : std::uint8_t {
    none,
    ip_ip,
    six_in_four,
    gre,
    erspan,
    vxlan,
    geneve,
    gtp,
    teredo
};
std::string_view tunnel_name(Tunnel tunnel);

// What carried a packet, outermost first.
struct Layers {
    static constexpr std::size_t max_tunnels = 3;
    std::array<std::uint32_t, max_tunnels> tunnel_id{};  // GRE key, VNI, TEID, ERSPAN session
    std::array<Tunnel, max_tunnels> tunnel{};
    std::uint8_t tunnels = 0;
    std::uint16_t vlan = no_vlan, inner_vlan = no_vlan;
    static constexpr std::uint16_t no_vlan = 0xffff;
    std::string tunnel_text() const;  // "gre:7,vxlan:42"; "" where nothing carried it
};

// One packet that belongs to a flow.
struct Packet {
    FlowKey key;
    bool source_is_low = true;
    bool bad_checksum = false;  // of TCP, UDP, ICMP
    bool broadcast = false;     // to 255.255.255.255
    std::uint8_t ttl = 0;       // or hop limit
    std::uint8_t tcp_flags = 0;
    std::uint16_t source_port = 0, destination_port = 0;  // ICMP: type and counterpart or code
    std::uint16_t window = 0;
    Tunnel carries = Tunnel::none;  // a UDP packet with a tunnel inside
    std::uint32_t sequence = 0, acknowledged = 0;
    std::uint32_t ip_bytes = 0;       // IP header and what it carries, as on the wire
    std::uint32_t payload_bytes = 0;  // above the transport header, as on the wire
    ByteView payload;                 // what was captured of it
    Layers layers;
};

enum class Verdict : std::uint8_t {
    packets,       // at least one packet
    fragment,      // Decoded::fragment, perhaps packets that carry it
    not_ip,        // ARP, LLC, ...: nothing for us
    truncated,     // cut by the snapshot length, or shorter than its headers say
    malformed,     // a header that contradicts itself
    bad_checksum,  // of an IPv4 header
    too_deep,      // more tunnels in each other than Layers holds
    unknown_link,
};
inline constexpr std::size_t verdicts = 8;
std::string_view verdict_name(Verdict verdict);

// A piece of an IP datagram, for Fragments.
struct Fragment {
    Address source, destination;
    std::uint32_t id = 0;
    std::uint8_t version = 4, protocol = 0, ttl = 0;
    bool more = false;
    std::uint32_t header_bytes = 0;  // IP headers without IPv6's fragment header
    std::uint32_t offset = 0;        // bytes
    ByteView data;
    Layers layers;
};

struct Decoded {
    static constexpr std::size_t max_packets = 4;
    std::array<Packet, max_packets> packets;  // outermost first
    std::size_t count = 0;
    Verdict verdict = Verdict::not_ip;
    Fragment fragment;
};

}  // namespace amoskys::flow
