#include "modules/collectors/flow/trace_parser.h"

#include <catch2/catch.hpp>

#include "modules/collectors/flow/test/frames.h"

using namespace amoskys;
using namespace amoskys::flow;
using Step = TraceParser::Step;

namespace {

// pcap in the byte order of the network.
Raw big_pcap(std::uint32_t magic, unsigned minor, std::uint32_t link = 1) {
    return FrameBuilder().u32(magic).u16(2).u16(minor).u32(0).u32(0).u32(65535).u32(link).bytes;
}
Raw big_record(std::uint32_t seconds, std::uint32_t fraction, std::uint32_t captured,
               std::uint32_t wire, std::string_view data) {
    return FrameBuilder().u32(seconds).u32(fraction).u32(captured).u32(wire).text(data).bytes;
}
Raw block(std::uint32_t type, const Raw& body) {
    Raw padded = body;
    padded.resize((body.size() + 3) / 4 * 4, 0);
    const auto length = static_cast<std::uint32_t>(12 + padded.size());
    return FrameBuilder().u32(type).u32(length).append(padded).u32(length).bytes;
}
Raw section() {
    return block(0x0a0d0d0a, FrameBuilder().u32(0x1a2b3c4d).u16(1).u16(0).u32(~0U).u32(~0U).bytes);
}

struct ReadFrame : Frame {
    Raw bytes;  // behind data: the file is gone when the test looks
};

std::vector<ReadFrame> all(const Raw& file) {
    TraceParser parser;
    ByteView rest(file);
    std::vector<ReadFrame> out;
    Frame frame;
    while (true) {
        const auto step = parser.next(rest, frame);
        REQUIRE(step.has_value());
        if (*step == Step::need_more)
            break;
        out.push_back({frame, Raw(frame.data.begin(), frame.data.end())});
    }
    CHECK(rest.empty());
    return out;
}

std::string fault(const Raw& file) {
    TraceParser parser;
    ByteView rest(file);
    Frame frame;
    for (int i = 0; i < 10; ++i) {
        const auto step = parser.next(rest, frame);
        if (!step) {
            CHECK(step.error().kind == ErrorKind::bad_data);
            return step.error().message;
        }
    }
    return "none";
}

}  // namespace

TEST_CASE("pcap in microseconds, nanoseconds and with the old order of lengths") {
    const auto micro = all(FrameBuilder()
                               .append(big_pcap(0xa1b2c3d4, 4))
                               .append(big_record(5, 6, 3, 60, "abc"))
                               .bytes);
    REQUIRE(micro.size() == 1);
    CHECK(micro[0].time_ns == 5'000'006'000);
    CHECK(micro[0].wire_bytes == 60);
    CHECK(as_text(micro[0].bytes) == "abc");
    const auto nano = all(FrameBuilder()
                              .append(big_pcap(0xa1b23c4d, 4))
                              .append(big_record(5, 6, 3, 60, "abc"))
                              .bytes);
    CHECK(nano[0].time_ns == 5'000'000'006);
    const auto old = all(FrameBuilder()
                             .append(big_pcap(0xa1b2c3d4, 1))
                             .append(big_record(5, 6, 60, 3, "abc"))
                             .bytes);
    CHECK(old[0].wire_bytes == 60);
    CHECK(old[0].data.size() == 3);
}

TEST_CASE("pcapng with interfaces of different resolution, and a second section") {
    const Raw nanoseconds =
        block(1, FrameBuilder().u16(101).u16(0).u32(0).u16(9).u16(1).u32(9U << 24U).u32(0).bytes);
    const Raw plain = block(1, FrameBuilder().u16(1).u16(0).u32(0).bytes);
    const Raw binary = block(1, FrameBuilder()
                                    .u16(1)
                                    .u16(0)
                                    .u32(0)
                                    .u16(9)
                                    .u16(1)
                                    .u32(0x8aU << 24U)  // 2^-10 s
                                    .u32(0)
                                    .bytes);
    const auto packet = [](std::uint32_t interface, std::uint32_t low) {
        return block(6,
                     FrameBuilder().u32(interface).u32(0).u32(low).u32(3).u32(9).text("abc").bytes);
    };
    const auto frames = all(FrameBuilder()
                                .append(section())
                                .append(nanoseconds)
                                .append(plain)
                                .append(binary)
                                .append(block(0xbad, raw("unknown!")))
                                .append(packet(0, 7))
                                .append(packet(1, 7))
                                .append(packet(2, 512))
                                .append(section())
                                .append(plain)
                                .append(block(3, FrameBuilder().u32(2).text("xyz").bytes))
                                .bytes);
    REQUIRE(frames.size() == 4);
    CHECK(frames[0].time_ns == 7);
    CHECK(frames[0].link == LinkType::raw);
    CHECK(frames[1].time_ns == 7000);
    CHECK(frames[1].interface == 1);
    CHECK(frames[2].time_ns == 500'000'000);
    CHECK(as_text(frames[3].bytes) == "xy");
}

TEST_CASE("a file that is none, or contradicts itself, is refused with the byte") {
    CHECK(fault(raw("this is no capture file")).find("byte 0: neither a pcap nor a pcapng") == 0);
    CHECK(fault(big_pcap(0xa1b2c3d4, 4, 9999)).find("link type 9999") != std::string::npos);
    CHECK(fault(FrameBuilder()
                    .append(big_pcap(0xa1b2c3d4, 4))
                    .append(big_record(1, 1, 0x7fffffff, 0x7fffffff, ""))
                    .bytes)
              .find("byte 24: a packet of 2147483647 bytes") == 0);
    Raw bad = FrameBuilder().append(section()).append(block(6, Raw(20, 0))).bytes;
    CHECK(fault(bad).find("interface 0 of 0") != std::string::npos);
    bad[7] = 13;
    CHECK(fault(bad).find("a block of 13 bytes") != std::string::npos);
}

TEST_CASE("cut anywhere, a file gives its whole packets and asks for more") {
    const Raw file = FrameBuilder()
                         .append(big_pcap(0xa1b2c3d4, 4))
                         .append(big_record(5, 6, 3, 60, "abc"))
                         .append(big_record(5, 6, 3, 60, "abc"))
                         .bytes;
    for (std::size_t size = 0; size < file.size(); ++size) {
        TraceParser parser;
        const Raw part(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
        ByteView rest(part);
        Frame frame;
        std::size_t frames = 0;
        while (true) {
            const auto step = parser.next(rest, frame);
            REQUIRE(step.has_value());
            if (*step == Step::need_more)
                break;
            ++frames;
        }
        CHECK(frames == (size >= 43 ? 1 : 0));
    }
}
