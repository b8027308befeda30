#include "modules/collectors/flow/engine.h"

#include <array>
#include <set>

#include "modules/collectors/flow/test/frames.h"
#include "modules/collectors/flow/test/trace_run.h"

using namespace amoskys;
using namespace amoskys::flow;

namespace {

constexpr UnixNanos second = 1'000'000'000;
constexpr unsigned S = tcp_syn, A = tcp_ack, F = tcp_fin, R = tcp_rst;

// An engine fed with packets between 10.0.0.1 and others.
struct Wire {
    explicit Wire(EngineOptions options = plain()) : engine(options, sink) {}
    static EngineOptions plain() {
        EngineOptions options;
        options.verify_checksums = false;
        return options;
    }
    void packet(double at_s, const Raw& ip) {
        Frame frame;
        frame.data = ip;
        frame.wire_bytes = static_cast<std::uint32_t>(ip.size());
        frame.link = LinkType::raw;
        frame.time_ns = 1000 * second + static_cast<UnixNanos>(at_s * 1e9);
        engine.frames({&frame, 1});
    }
    void out(double at_s, unsigned flags, std::uint32_t sequence, std::uint32_t ack,
             std::string_view payload = {}) {
        packet(at_s, ipv4(1, 2, 6, tcp(4000, 9999, flags, sequence, ack, payload)));
    }
    void back(double at_s, unsigned flags, std::uint32_t sequence, std::uint32_t ack,
              std::string_view payload = {}) {
        packet(at_s, ipv4(2, 1, 6, tcp(9999, 4000, flags, sequence, ack, payload)));
    }
    void handshake() {
        out(0, S, 100, 0);
        back(0.1, S | A, 500, 101);
        out(0.2, A, 101, 501);
    }
    messaging::FlowEvent only() {
        engine.finish(SIZE_MAX);
        REQUIRE(sink.events.size() == 1);
        return sink.events[0];
    }
    KeepingSink sink;
    Engine engine;
};

}  // namespace

TEST_CASE("a whole connection is SF with its letters, bytes and delays") {
    Wire wire;
    wire.handshake();
    wire.out(0.3, A, 101, 501, "hello");
    wire.back(0.4, A, 501, 106, "worlds");
    wire.out(0.5, F | A, 106, 507);
    wire.back(0.6, F | A, 507, 107);
    wire.out(0.7, A, 107, 508);
    const auto flow = wire.only();
    CHECK(flow.conn_state() == "SF");
    CHECK(flow.history() == "ShADdFf");
    CHECK(flow.packets_sent() == 5);
    CHECK(flow.packets_recv() == 3);
    CHECK(flow.payload_bytes_sent() == 5);
    CHECK(flow.payload_bytes_recv() == 6);
    CHECK(flow.ip_bytes_sent() == 205);
    CHECK(flow.ip_bytes_recv() == 126);
    CHECK(flow.bytes_sent() == 205);
    CHECK(flow.src_ip() == "10.0.0.1");
    CHECK(flow.dst_port() == 9999);
    CHECK(flow.protocol() == "TCP");
    CHECK(flow.flags() == (S | A | F));
    CHECK(flow.reply_delay_ns() == 100'000'000);
    CHECK(flow.handshake_ns() == 200'000'000);
    CHECK(flow.end_time() - flow.start_time() == 700'000'000);
    CHECK(flow.ttl_sent() == 64);
    CHECK(flow.end_reason() == "end");
    CHECK_FALSE(flow.has_part());
}

TEST_CASE("states of connections that go wrong") {
    struct Case {
        const char* state;
        const char* history;
        void (*play)(Wire&);
    };
    const Case cases[] = {
        {"S0", "S", [](Wire& w) { w.out(0, S, 1, 0); }},
        {"S1", "ShA", [](Wire& w) { w.handshake(); }},
        {"S2", "ShAF",
         [](Wire& w) {
             w.handshake();
             w.out(1, F | A, 101, 501);
         }},
        {"S3", "ShAf",
         [](Wire& w) {
             w.handshake();
             w.back(1, F | A, 501, 101);
         }},
        {"REJ", "Sr",
         [](Wire& w) {
             w.out(0, S, 1, 0);
             w.back(0.1, R | A, 0, 2);
         }},
        {"RSTO", "ShAR",
         [](Wire& w) {
             w.handshake();
             w.out(1, R, 101, 0);
         }},
        {"RSTR", "ShAr",
         [](Wire& w) {
             w.handshake();
             w.back(1, R, 501, 0);
         }},
        {"RSTOS0", "SR",
         [](Wire& w) {
             w.out(0, S, 1, 0);
             w.out(1, R, 2, 0);
         }},
        {"SH", "SF",
         [](Wire& w) {
             w.out(0, S, 1, 0);
             w.out(1, F, 2, 0);
         }},
        {"SHR", "^hf",
         [](Wire& w) {
             w.back(0, S | A, 1, 5);
             w.back(1, F | A, 2, 5);
         }},
        {"RSTRH", "^hr",
         [](Wire& w) {
             w.back(0, S | A, 1, 5);
             w.back(1, R, 2, 0);
         }},
        {"OTH", "D", [](Wire& w) { w.out(0, A, 1, 1, "x"); }},
        {"OTH", "I", [](Wire& w) { w.out(0, F | R, 1, 1); }},
        {"S0", "Q", [](Wire& w) { w.out(0, S | 8U | 32U, 1, 1); }},
    };
    for (const Case& one : cases) {
        Wire wire;
        one.play(wire);
        const auto flow = wire.only();
        INFO(one.state << " " << one.history);
        if (std::string_view(one.history) == "I") {
            CHECK(flow.history() == "I");
            continue;
        }
        if (std::string_view(one.history) != "Q") {
            CHECK(flow.conn_state() == one.state);
            CHECK(flow.history() == one.history);
        }
    }
}

TEST_CASE("a SYN with FIN is noted as such") {
    Wire wire;
    wire.out(0, S | F, 1, 0);
    CHECK(wire.only().history() == "Q");
}

TEST_CASE("retransmissions, gaps and zero windows stand in the history at powers of ten") {
    Wire wire;
    wire.handshake();
    wire.out(0.3, A, 101, 501, "abcde");
    for (int i = 0; i < 10; ++i)
        wire.out(0.4, A, 101, 501, "abcde");
    wire.out(0.5, A, 116, 501, "z");  // ten bytes are missing
    wire.back(0.6, A, 501, 117);
    auto flow = wire.only();
    CHECK(flow.history() == "ShADTTaG");
    CHECK(flow.retransmitted_bytes_sent() == 50);
    CHECK(flow.missed_bytes_sent() == 10);
    CHECK(flow.payload_bytes_sent() == 16);
    Wire closed;
    closed.handshake();
    closed.packet(0.3, ipv4(1, 2, 6, tcp(4000, 9999, A, 101, 501, {}, 0)));
    CHECK(closed.only().history() == "ShAW");
}

TEST_CASE("segments out of order leave no gap") {
    Wire wire;
    wire.handshake();
    wire.out(0.3, A, 106, 501, "fghij");
    wire.out(0.4, A, 116, 501, "pq");
    wire.out(0.5, A, 101, 501, "abcde");
    wire.out(0.6, A, 111, 501, "klmno");
    wire.back(0.7, A, 501, 118);
    const auto flow = wire.only();
    CHECK(flow.missed_bytes_sent() == 0);
    CHECK(flow.history() == "ShADTa");
}

TEST_CASE("sequence numbers may wrap") {
    Wire wire;
    wire.out(0, S, 0xfffffff0U, 0);
    wire.back(0.1, S | A, 500, 0xfffffff1U);
    wire.out(0.2, A, 0xfffffff1U, 501);
    for (std::uint32_t i = 0; i < 10; ++i) {
        wire.out(0.3, A, 0xfffffff1U + i * 10, 501, "0123456789");
        wire.back(0.3, A, 501, 0xfffffff1U + i * 10 + 10);
    }
    const auto flow = wire.only();
    CHECK(flow.payload_bytes_sent() == 100);
    CHECK(flow.missed_bytes_sent() == 0);
    CHECK(flow.history() == "ShADa");
}

TEST_CASE("a port that is used again begins another flow") {
    Wire wire;
    wire.handshake();
    wire.out(1, F | A, 101, 501);
    wire.back(1.1, F | A, 501, 102);
    wire.out(2, S, 77777, 0);
    wire.engine.finish(SIZE_MAX);
    REQUIRE(wire.sink.events.size() == 2);
    CHECK(wire.sink.events[0].end_reason() == "reused");
    CHECK(wire.sink.events[0].conn_state() == "SF");
    CHECK(wire.sink.events[1].conn_state() == "S0");
}

TEST_CASE("timeouts end flows by their own rules") {
    Wire wire;
    wire.out(0, S, 1, 0);                                       // 5 s: nobody answers
    wire.packet(0, ipv4(1, 3, 17, udp(1000, 2000, raw("x"))));  // 60 s
    wire.packet(0, ipv4(1, 4, 6, tcp(1, 2, A, 5, 6, "x")));     // 300 s
    wire.packet(0, ipv4(1, 5, 1, FrameBuilder().u32(0x08000000).u32(0).bytes));
    const auto ended_at = [&](double at_s) {
        wire.engine.advance(1000 * second + static_cast<UnixNanos>(at_s * 1e9));
        return wire.sink.events.size();
    };
    CHECK(ended_at(4.9) == 0);
    CHECK(ended_at(6.1) == 1);
    CHECK(wire.sink.events[0].end_reason() == "attempt");
    CHECK(ended_at(59.9) == 1);
    CHECK(ended_at(61.1) == 3);
    CHECK(wire.sink.events[1].end_reason() == "idle");
    CHECK(ended_at(299) == 3);
    CHECK(ended_at(301.1) == 4);
    CHECK(wire.engine.table().size() == 0);
}

TEST_CASE("a packet after the timeout belongs to a new flow, to the nanosecond") {
    Wire wire;
    wire.packet(0, ipv4(1, 3, 17, udp(1000, 2000, raw("x"))));
    wire.packet(59.999999999, ipv4(1, 3, 17, udp(1000, 2000, raw("x"))));
    wire.packet(119.999999999, ipv4(1, 3, 17, udp(1000, 2000, raw("x"))));
    wire.engine.finish(SIZE_MAX);
    REQUIRE(wire.sink.events.size() == 2);
    CHECK(wire.sink.events[0].packets_sent() == 2);
}

TEST_CASE("a long flow gives records whose counts add up") {
    EngineOptions options = Wire::plain();
    options.active_ns = 100 * second;
    Wire wire(options);
    wire.handshake();
    std::uint32_t sequence = 101;
    for (int at = 1; at <= 250; ++at, sequence += 4)
        wire.out(at, A, sequence, 501, "data");
    wire.engine.finish(SIZE_MAX);
    REQUIRE(wire.sink.events.size() == 3);
    std::uint64_t packets = 0, bytes = 0, payload = 0;
    for (unsigned i = 0; i < 3; ++i) {
        const auto& event = wire.sink.events[i];
        packets += event.packets_sent();
        bytes += event.ip_bytes_sent();
        payload += event.payload_bytes_sent();
        CHECK(event.part() == i + 1);
        CHECK(event.start_time() == wire.sink.events[0].start_time());
        CHECK(event.end_reason() == (i < 2 ? "active" : "end"));
    }
    CHECK(packets == 252);
    CHECK(bytes == 252 * 40 + 250 * 4);
    CHECK(payload == 1000);
}

TEST_CASE("a full table makes room: closing, then idle, then the oldest unanswered") {
    EngineOptions options = Wire::plain();
    options.max_flows = 4;
    const auto probe = [](unsigned to) { return ipv4(1, to, 17, udp(1000, 2000, raw("x"))); };
    SECTION("closing") {
        Wire wire(options);
        wire.packet(0, probe(10));
        wire.handshake();
        wire.out(1, R, 101, 0);
        wire.packet(1, probe(11));
        wire.packet(1, probe(12));
        wire.packet(1.1, probe(13));
        REQUIRE(wire.sink.events.size() == 1);
        CHECK(wire.sink.events[0].conn_state() == "RSTO");
        CHECK(wire.engine.stats().evicted_closing == 1);
        CHECK(wire.sink.events[0].end_reason() == "evicted");
    }
    SECTION("idle") {
        Wire wire(options);
        for (unsigned to = 10; to < 14; ++to)
            wire.packet(to == 12 ? 0.1 : 0.0, probe(to));
        for (unsigned to : {10U, 11U, 13U})
            wire.packet(20, probe(to));
        wire.packet(20.1, probe(14));
        REQUIRE(wire.sink.events.size() == 1);
        CHECK(wire.sink.events[0].dst_ip() == "10.0.0.12");
        CHECK(wire.engine.stats().evicted_idle == 1);
    }
    SECTION("oldest unanswered") {
        Wire wire(options);
        wire.handshake();
        for (unsigned to = 10; to < 13; ++to)
            wire.packet(to * 0.1, probe(to));
        wire.packet(2, probe(14));
        REQUIRE(wire.sink.events.size() == 1);
        CHECK(wire.sink.events[0].dst_ip() == "10.0.0.10");
        CHECK(wire.engine.stats().evicted_unanswered == 1);
    }
}

TEST_CASE("the table keeps every flow through growth, removal and a flood") {
    EngineOptions options = Wire::plain();
    options.max_flows = 5000;
    Wire wire(options);
    std::uint64_t sent = 0;
    for (unsigned round = 0; round < 3; ++round)
        for (unsigned i = 0; i < 8000; ++i, ++sent)
            wire.packet(round * 100 + i * 0.01,
                        ipv4(1, 2 + i % 200, 17, udp(1000 + i, 2000, raw("x"))));
    CHECK(wire.engine.table().size() <= 5000);
    wire.engine.finish(SIZE_MAX);
    CHECK(wire.engine.table().size() == 0);
    std::uint64_t counted = 0;
    for (const auto& event : wire.sink.events)
        counted += event.packets_sent() + event.packets_recv();
    CHECK(counted == sent);
    constexpr std::size_t huge_page = 2U << 20U;  // the last one may be empty
    CHECK(wire.engine.table().memory_bytes() <= 5000 * max_flow_bytes + huge_page);
}

TEST_CASE("keys of one port spread by their addresses, whatever the secret") {
    constexpr std::uint32_t count = 1U << 16U;
    for (const std::uint64_t secret : {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{42}}) {
        std::set<std::uint64_t> all;
        std::set<std::uint32_t> low;
        for (std::uint32_t i = 0; i < count; ++i) {
            const std::array<std::uint8_t, 4> one{10, 0, 0, 1};
            const std::array<std::uint8_t, 4> other{172, 16, static_cast<std::uint8_t>(i >> 8U),
                                                    static_cast<std::uint8_t>(i)};
            FlowKey key;
            key.low = address_v4(one.data());
            key.high = address_v4(other.data());
            key.low_port = 443;
            key.high_port = 40000;
            key.protocol = 6;
            const std::uint64_t hash = hash_key(key, secret);
            all.insert(hash);
            low.insert(static_cast<std::uint32_t>(hash) % count);
        }
        CHECK(all.size() == count);
        CHECK(low.size() > count * 6 / 10);  // 1 - 1/e of them by chance
    }
}

TEST_CASE("time that jumps decades, or back, ends nothing wrongly") {
    Wire wire;
    wire.packet(0, ipv4(1, 3, 17, udp(1, 2, raw("x"))));
    wire.packet(4e9, ipv4(1, 3, 17, udp(1, 2, raw("x"))));
    wire.packet(-900, ipv4(1, 3, 17, udp(1, 2, raw("x"))));
    wire.engine.finish(SIZE_MAX);
    REQUIRE(wire.sink.events.size() == 2);
    CHECK(wire.sink.events[1].packets_sent() == 2);
}
