// One frame: the first byte picks the link type, the second the length on the wire. Views must stay
// inside the frame.
#include <cstdlib>

#include "modules/collectors/flow/decoder.h"
#include "modules/collectors/flow/fragments.h"

using namespace amoskys;
using namespace amoskys::flow;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2)
        return 0;
    constexpr LinkType links[] = {
        LinkType::ethernet, LinkType::raw,        LinkType::ppp,
        LinkType::null,     LinkType::linux_sll,  LinkType::linux_sll2,
        LinkType::ipv4,     LinkType::ieee802_11, LinkType::ieee802_11_radiotap,
        LinkType::ipv6,     LinkType::loop};
    const LinkType link = links[data[0] % std::size(links)];
    const ByteView frame(data + 2, size - 2);
    Decoded decoded;
    Fragments fragments;
    for (const bool verify : {false, true}) {
        Decoder(verify).decode(frame, static_cast<std::uint32_t>(frame.size()) + data[1], link,
                               decoded);
        if (decoded.count > Decoded::max_packets)
            std::abort();
        for (std::size_t i = 0; i < decoded.count; ++i) {
            const ByteView payload = decoded.packets[i].payload;
            if (!payload.empty() && (payload.data() < frame.data() ||
                                     payload.data() + payload.size() > frame.data() + frame.size()))
                std::abort();
            decoded.packets[i].layers.tunnel_text();
        }
        if (decoded.verdict == Verdict::fragment) {
            const auto whole = fragments.add(decoded.fragment, 1);
            if (whole.first != nullptr)
                Decoder(verify).decode_datagram(*whole.first, whole.data, decoded);
        }
    }
    return 0;
}
