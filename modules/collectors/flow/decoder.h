// From a captured frame to the packets in it: link layers, VLAN, MPLS, PPPoE, IPv4 and IPv6 with
// extension headers, TCP, UDP, ICMP, and what is carried inside IP-in-IP, GRE, ERSPAN, VXLAN,
// Geneve, GTP-U and Teredo. No allocation, no clock, no state between frames. Any bytes are legal
// input; work per frame is bounded by max_steps headers.
//
// A UDP packet that carries a tunnel gives two packets, the carrying one first, because both are
// conversations; IP-in-IP and GRE have no ports and give the inner one only, with the carrier in
// its layers.
#pragma once

#include "modules/collectors/flow/packet.h"

namespace amoskys::flow {

class Decoder {
  public:
    explicit Decoder(bool verify_checksums) : verify_(verify_checksums) {}

    // wire_bytes: length of the frame on the wire, at least frame.size().
    void decode(ByteView frame, std::uint32_t wire_bytes, LinkType link, Decoded& out) const;
    // What Fragments has put together: `first` says whose, `data` is what the headers carry.
    void decode_datagram(const Fragment& first, ByteView data, Decoded& out) const;

  private:
    bool verify_;
};

}  // namespace amoskys::flow
