#include "modules/collectors/flow/decoder.h"

#include <catch2/catch.hpp>

#include "modules/collectors/flow/fragments.h"
#include "modules/collectors/flow/test/frames.h"

using namespace amoskys;
using namespace amoskys::flow;

namespace {

Decoded decode(const Raw& frame, LinkType link = LinkType::ethernet, bool verify = false) {
    Decoded out;
    Decoder(verify).decode(frame, static_cast<std::uint32_t>(frame.size()), link, out);
    return out;
}

const Raw datagram = ipv4(1, 2, 17, udp(1000, 2000, raw("payload")));

}  // namespace

TEST_CASE("a UDP packet in every kind of link") {
    struct Case {
        const char* name;
        LinkType link;
        Raw frame;
    };
    const Case cases[] = {
        {"Ethernet", LinkType::ethernet, ethernet(0x0800, datagram)},
        {"VLAN", LinkType::ethernet,
         ethernet(0x8100, FrameBuilder().u16(0x2005).u16(0x0800).append(datagram).bytes)},
        {"QinQ", LinkType::ethernet,
         ethernet(0x88a8,
                  FrameBuilder().u16(5).u16(0x8100).u16(6).u16(0x0800).append(datagram).bytes)},
        {"MPLS", LinkType::ethernet,
         ethernet(0x8847, FrameBuilder().u32(0x00010000).u32(0x00020140).append(datagram).bytes)},
        {"MPLS pseudo wire", LinkType::ethernet,
         ethernet(0x8847,
                  FrameBuilder().u32(0x00020140).u32(0).append(ethernet(0x0800, datagram)).bytes)},
        {"PPPoE", LinkType::ethernet,
         ethernet(0x8864, FrameBuilder()
                              .u16(0x1100)
                              .u16(7)
                              .u16(static_cast<unsigned>(datagram.size() + 2))
                              .u16(0x0021)
                              .append(datagram)
                              .bytes)},
        {"PPP", LinkType::ppp, FrameBuilder().u16(0xff03).u16(0x0021).append(datagram).bytes},
        {"PPP, compressed", LinkType::ppp, FrameBuilder().u8(0x21).append(datagram).bytes},
        {"raw", LinkType::raw, datagram},
        {"loopback", LinkType::null, FrameBuilder().u32(0x02000000).append(datagram).bytes},
        {"loop", LinkType::loop, FrameBuilder().u32(2).append(datagram).bytes},
        {"cooked", LinkType::linux_sll,
         FrameBuilder().u32(0).u32(0).u32(0).u16(0).u16(0x0800).append(datagram).bytes},
        {"cooked 2", LinkType::linux_sll2,
         FrameBuilder().u16(0x0800).u16(0).u32(0).u32(0).u32(0).u32(0).append(datagram).bytes},
        {"802.11", LinkType::ieee802_11,
         FrameBuilder()
             .u16(0x8801)
             .append(Raw(24, 0))
             .u16(0xaaaa)
             .u16(0x0300)
             .u16(0)
             .u16(0x0800)
             .append(datagram)
             .bytes},
        {"SNAP", LinkType::ethernet,
         ethernet(60,
                  FrameBuilder().u16(0xaaaa).u32(0x03000000).u16(0x0800).append(datagram).bytes)},
        {"IP in IP", LinkType::raw, ipv4(7, 8, 4, datagram)},
        {"GRE", LinkType::raw,
         ipv4(7, 8, 47, FrameBuilder().u16(0x2000).u16(0x0800).u32(9).append(datagram).bytes)},
        {"ERSPAN", LinkType::raw,
         ipv4(7, 8, 47,
              FrameBuilder()
                  .u16(0x1000)
                  .u16(0x88be)
                  .u32(1)
                  .u32(0x10000003)
                  .u32(0)
                  .append(ethernet(0x0800, datagram))
                  .bytes)},
    };
    for (const Case& one : cases) {
        INFO(one.name);
        const Decoded out = decode(one.frame, one.link);
        REQUIRE(out.count == 1);
        const Packet& packet = out.packets[0];
        CHECK(packet.source_port == 1000);
        CHECK(packet.destination_port == 2000);
        CHECK(packet.ip_bytes == 35);
        CHECK(packet.payload_bytes == 7);
        CHECK(as_text(packet.payload) == "payload");
        // Cut anywhere it is truncated, malformed or nothing, but never read past its end (ASan).
        for (std::size_t size = 0; size < one.frame.size(); ++size) {
            Decoded cut;
            const Raw part(one.frame.begin(),
                           one.frame.begin() + static_cast<std::ptrdiff_t>(size));
            Decoder(true).decode(part, static_cast<std::uint32_t>(one.frame.size()), one.link, cut);
            CHECK(cut.count <= 1);
        }
    }
}

TEST_CASE("VLAN ids and tunnels are noted, outermost first") {
    const Raw tagged = ethernet(
        0x8100, FrameBuilder().u16(5).u16(0x8100).u16(6).u16(0x0800).append(datagram).bytes);
    CHECK(decode(tagged).packets[0].layers.vlan == 5);
    CHECK(decode(tagged).packets[0].layers.inner_vlan == 6);
    const Raw vxlan =
        FrameBuilder().u32(0x08000000).u32(42U << 8U).append(ethernet(0x0800, datagram)).bytes;
    const Raw carried =
        ipv4(7, 8, 47,
             FrameBuilder().u16(0).u16(0x0800).append(ipv4(3, 4, 17, udp(5, 4789, vxlan))).bytes);
    const Decoded out = decode(carried, LinkType::raw);
    REQUIRE(out.count == 2);
    CHECK(out.packets[0].destination_port == 4789);
    CHECK(out.packets[0].carries == Tunnel::vxlan);
    CHECK(out.packets[0].layers.tunnel_text() == "gre");
    CHECK(out.packets[1].destination_port == 2000);
    CHECK(out.packets[1].layers.tunnel_text() == "gre,vxlan:42");
}

TEST_CASE("Geneve, GTP-U and Teredo give the carrying and the carried packet") {
    const Raw geneve = FrameBuilder()
                           .u16(0x0100)
                           .u16(0x6558)
                           .u32(7U << 8U)
                           .u32(0)
                           .append(ethernet(0x0800, datagram))
                           .bytes;
    const Raw gtp = FrameBuilder()
                        .u16(0x30ff)
                        .u16(static_cast<unsigned>(datagram.size()))
                        .u32(99)
                        .append(datagram)
                        .bytes;
    const Decoded a = decode(ipv4(3, 4, 17, udp(5, 6081, geneve)), LinkType::raw);
    REQUIRE(a.count == 2);
    CHECK(a.packets[1].layers.tunnel_text() == "geneve:7");
    const Decoded b = decode(ipv4(3, 4, 17, udp(2152, 2152, gtp)), LinkType::raw);
    REQUIRE(b.count == 2);
    CHECK(b.packets[1].layers.tunnel_text() == "gtp:99");
    Raw six = FrameBuilder().u32(0x60000000).u16(15).u8(17).u8(1).bytes;
    six.resize(40, 1);
    const Raw teredo = FrameBuilder().append(six).append(udp(1, 2, raw("payload"))).bytes;
    const Decoded c = decode(ipv4(3, 4, 17, udp(5, 3544, teredo)), LinkType::raw);
    REQUIRE(c.count == 2);
    CHECK(c.packets[1].key.version == 6);
    CHECK(c.packets[1].layers.tunnel_text() == "teredo");
    CHECK(decode(ipv4(3, 4, 17, udp(5, 999, teredo)), LinkType::raw).count == 1);
}

TEST_CASE("tunnels in each other end at a depth") {
    Raw packet = datagram;
    for (int i = 0; i < 20; ++i)
        packet = ipv4(1, 2, 4, packet);
    const Decoded out = decode(packet, LinkType::raw);
    CHECK(out.count == 0);
    CHECK(out.verdict == Verdict::too_deep);
}

TEST_CASE("padding and trailers do not count") {
    Raw frame = ethernet(0x0800, ipv4(1, 2, 6, tcp(1, 2, tcp_ack, 5, 6)));
    frame.resize(60, 0xee);
    const Decoded out = decode(frame);
    REQUIRE(out.count == 1);
    CHECK(out.packets[0].payload_bytes == 0);
    CHECK(out.packets[0].ip_bytes == 40);
}

TEST_CASE("a header checksum that is wrong makes the packet count nowhere") {
    Raw frame = datagram;
    frame[10] ^= 1U;
    CHECK(decode(frame, LinkType::raw, true).verdict == Verdict::bad_checksum);
    CHECK(decode(frame, LinkType::raw, false).count == 1);
    CHECK_FALSE(decode(datagram, LinkType::raw, true).packets[0].bad_checksum);
}

TEST_CASE("checksums are right for every length and alignment") {
    Raw data(70, 0);
    for (std::size_t i = 0; i < data.size(); ++i)
        data[i] = static_cast<std::uint8_t>(i * 37 + 11);
    for (std::size_t begin = 0; begin < 5; ++begin)
        for (std::size_t size = 0; size + begin <= data.size(); ++size) {
            std::uint32_t sum = 0;
            for (std::size_t i = 0; i < size; ++i)
                sum += i % 2 == 0 ? data[begin + i] * 256U : data[begin + i];
            while (sum >> 16U != 0)
                sum = (sum & 0xffffU) + (sum >> 16U);
            const std::uint16_t ours = ones_sum(data.data() + begin, size);
            std::uint8_t bytes[2];
            std::memcpy(bytes, &ours, 2);
            CHECK(bytes[0] * 256U + bytes[1] == sum);
        }
}

TEST_CASE("both directions have the same key and ICMP requests meet their replies") {
    const Decoded there = decode(ipv4(1, 2, 17, udp(9, 8, {})), LinkType::raw);
    const Decoded back = decode(ipv4(2, 1, 17, udp(8, 9, {})), LinkType::raw);
    CHECK(there.packets[0].key == back.packets[0].key);
    CHECK(there.packets[0].source_is_low != back.packets[0].source_is_low);
    const Decoded ask =
        decode(ipv4(1, 2, 1, FrameBuilder().u32(0x08000000).u32(1).bytes), LinkType::raw);
    const Decoded answer = decode(ipv4(2, 1, 1, FrameBuilder().u32(0).u32(1).bytes), LinkType::raw);
    CHECK(ask.packets[0].key == answer.packets[0].key);
}

TEST_CASE("fragments in any order make the datagram whole, what came first wins") {
    const Raw whole = udp(1000, 2000, raw("0123456789abcdef"));  // 24 bytes
    const auto piece = [&](unsigned begin, unsigned end, bool more) {
        return ipv4(1, 2, 17, Raw(whole.begin() + begin, whole.begin() + end),
                    (more ? 0x2000U : 0U) | begin / 8);
    };
    const std::vector<std::vector<Raw>> orders = {
        {piece(0, 8, true), piece(8, 16, true), piece(16, 24, false)},
        {piece(16, 24, false), piece(8, 16, true), piece(0, 8, true)},
        {piece(8, 16, true), piece(0, 16, true), piece(8, 24, false)}};
    for (const auto& order : orders) {
        Fragments fragments;
        std::size_t made = 0;
        for (const Raw& frame : order) {
            Decoded out = decode(frame, LinkType::raw);
            REQUIRE(out.verdict == Verdict::fragment);
            const auto done = fragments.add(out.fragment, 1);
            if (done.first == nullptr)
                continue;
            ++made;
            Decoded result;
            Decoder(false).decode_datagram(*done.first, done.data, result);
            REQUIRE(result.count == 1);
            CHECK(as_text(result.packets[0].payload) == "0123456789abcdef");
            CHECK(result.packets[0].ip_bytes == 44);
        }
        CHECK(made == 1);
        CHECK(fragments.size() == 0);
    }
}

TEST_CASE("fragments are bounded in number, time and size") {
    Fragments fragments;
    for (unsigned i = 0; i < 3 * Fragments::max_datagrams; ++i) {
        const Raw frame = ipv4(1, 2, 17, Raw(8, 0), 0x2000, i % 65536);
        fragments.add(decode(frame, LinkType::raw).fragment, i);
    }
    CHECK(fragments.size() == Fragments::max_datagrams);
    CHECK(fragments.given_up() == 2 * Fragments::max_datagrams);
    const Raw late = ipv4(9, 9, 17, Raw(8, 0), 0x2000);
    fragments.add(decode(late, LinkType::raw).fragment, 2 * Fragments::timeout_ns);
    CHECK(fragments.size() == 1);
    const Raw far = ipv4(9, 9, 17, Raw(800, 0), 0x1fff);
    fragments.add(decode(far, LinkType::raw).fragment, 2 * Fragments::timeout_ns);
    CHECK(fragments.size() == 1);
}
