#include "modules/collectors/flow/decoder.h"

#include "modules/collectors/flow/walk.h"

namespace amoskys::flow {
namespace {

void run(Walk& walk, Next next) {
    // Carried packets may be cut or malformed: what carries them is there all the same.
    unsigned steps = 0;
    while (next != Next::done) {
        if (++steps > max_steps || walk.out.count == Decoded::max_packets) {
            walk.end(Verdict::too_deep);
            break;
        }
        switch (next) {
            case Next::ip:
            case Next::ipv4:
            case Next::ipv6:
            case Next::extensions:
            case Next::transport:
                next = ip_step(walk, next);
                break;
            case Next::gre:
                next = gre_step(walk);
                break;
            default:
                next = link_step(walk, next);
        }
    }
}

}  // namespace

void Decoder::decode(ByteView frame, std::uint32_t wire_bytes, LinkType link, Decoded& out) const {
    out.count = 0;
    out.verdict = Verdict::not_ip;
    const auto captured = static_cast<std::uint32_t>(frame.size());
    Walk walk(frame, wire_bytes < captured ? captured : wire_bytes, verify_, out);
    run(walk, start_of_link(walk, link));
}

void Decoder::decode_datagram(const Fragment& first, ByteView data, Decoded& out) const {
    out.count = 0;
    out.verdict = Verdict::not_ip;
    const auto size = static_cast<std::uint32_t>(data.size());
    Walk walk(data, size, verify_, out);
    walk.ip.source = first.source;
    walk.ip.destination = first.destination;
    walk.ip.version = first.version;
    walk.ip.protocol = first.protocol;
    walk.ip.ttl = first.ttl;
    walk.ip.total_bytes = first.header_bytes + size;
    walk.layers = first.layers;
    run(walk, first.version == 6 ? Next::extensions : Next::transport);
}

std::string_view verdict_name(Verdict verdict) {
    constexpr std::string_view names[verdicts] = {"packets",   "fragment",    "not_ip",
                                                  "truncated", "malformed",   "bad_checksum",
                                                  "too_deep",  "unknown_link"};
    return names[static_cast<std::size_t>(verdict)];
}

std::string_view tunnel_name(Tunnel tunnel) {
    constexpr std::string_view names[] = {"",      "ipip",   "6in4", "gre",   "erspan",
                                          "vxlan", "geneve", "gtp",  "teredo"};
    return names[static_cast<std::size_t>(tunnel)];
}

std::string Layers::tunnel_text() const {
    std::string out;
    for (std::size_t i = 0; i < tunnels; ++i) {
        if (i > 0)
            out += ',';
        out += tunnel_name(tunnel[i]);
        if (tunnel_id[i] != 0)
            out += ':' + std::to_string(tunnel_id[i]);
    }
    return out;
}

}  // namespace amoskys::flow
