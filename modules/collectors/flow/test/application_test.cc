#include "modules/collectors/flow/application.h"

#include <catch2/catch.hpp>
#include <map>

#include "modules/collectors/flow/detector.h"
#include "modules/collectors/flow/test/frames.h"
#include "modules/collectors/flow/test/trace_run.h"
#include "modules/collectors/flow/tls.h"

using namespace amoskys;
using namespace amoskys::flow;

namespace {

Raw extension(unsigned type, const Raw& data) {
    return FrameBuilder().u16(type).u16(static_cast<unsigned>(data.size())).append(data).bytes;
}

Raw hello_record(std::string_view name) {
    const auto size = static_cast<unsigned>(name.size());
    const Raw extensions =
        FrameBuilder()
            .append(extension(0x0a0a, {}))
            .append(extension(0, FrameBuilder().u16(size + 3).u8(0).u16(size).text(name).bytes))
            .append(
                extension(16, FrameBuilder().u16(12).u8(2).text("h2").u8(8).text("http/1.1").bytes))
            .append(extension(13, FrameBuilder().u16(4).u16(0x0403).u16(0x0804).bytes))
            .append(extension(43, FrameBuilder().u8(6).u16(0x1a1a).u16(0x0304).u16(0x0303).bytes))
            .bytes;
    const Raw body = FrameBuilder()
                         .u16(0x0303)
                         .append(Raw(32, 7))
                         .u8(0)
                         .u16(6)
                         .u16(0x0a0a)
                         .u16(0x1301)
                         .u16(0xc02f)
                         .u16(0x0100)
                         .u16(static_cast<unsigned>(extensions.size()))
                         .append(extensions)
                         .bytes;
    const Raw message =
        FrameBuilder().u8(1).u8(0).u16(static_cast<unsigned>(body.size())).append(body).bytes;
    return FrameBuilder()
        .u8(22)
        .u16(0x0301)
        .u16(static_cast<unsigned>(message.size()))
        .append(message)
        .bytes;
}

}  // namespace

TEST_CASE("a ClientHello gives name, protocols, version and JA4, GREASE left out") {
    const Raw record = hello_record("www.example.org");
    ClientHello hello;
    REQUIRE(client_hello(record, hello) == HelloState::found);
    CHECK(hello.sni == "www.example.org");
    CHECK(hello.alpn == std::vector<std::string>{"h2", "http/1.1"});
    CHECK(hello.version == 0x0304);
    CHECK(hello.ciphers == std::vector<std::uint16_t>{0x1301, 0xc02f});
    const std::string mark = ja4(hello, 't');
    CHECK(mark.substr(0, 11) == "t13d0204h2_");
    CHECK(mark.size() == 36);
    for (std::size_t size = 0; size < record.size(); ++size)
        CHECK(client_hello(ByteView(record).first(size), hello) == HelloState::more);
    CHECK(client_hello(raw("GET / HTTP/1.1\r\n"), hello) == HelloState::none);
}

TEST_CASE("services are told by their first bytes") {
    const Ports high{40000, 50000};
    CHECK(service_of_tcp(raw("GET /x HTTP/1.1\r\n"), high) == Service::http);
    CHECK(service_of_tcp(raw("SSH-2.0-OpenSSH_9.2\r\n"), high) == Service::ssh);
    CHECK(service_of_tcp(hello_record("a"), high) == Service::tls);
    CHECK(service_of_tcp(raw("\x0bMSH|^~\\&|"), high) == Service::hl7);
    CHECK(service_of_tcp(raw(std::string_view("\x10\x10\0\4MQTT\4\2", 10)), high) == Service::mqtt);
    const Raw modbus = FrameBuilder().u16(1).u16(0).u16(6).u8(1).u8(3).u16(0).u16(1).bytes;
    CHECK(service_of_tcp(modbus, {40000, 502}) == Service::modbus);
    CHECK(service_of_tcp(modbus, high) == Service::none);
    CHECK(service_of_udp(FrameBuilder().u8(0x1b).append(Raw(47, 0)).bytes, {123, 123}) ==
          Service::ntp);
    CHECK(service_of_udp(FrameBuilder().u8(0xc3).u32(1).append(Raw(40, 0)).bytes, high) ==
          Service::quic);
    CHECK(service_of_udp(raw("<34>Oct 11 su: x"), {40000, 514}) == Service::syslog);
    CHECK(service_of_udp(raw("nothing"), high) == Service::none);
}

TEST_CASE("HTTP heads give method, host and software in any case and cut anywhere") {
    HttpHead head;
    const Raw request =
        raw("POST /a HTTP/1.1\r\nhOsT:  a.example \r\nUser-Agent: x/1\r\n\r\nbody: y");
    REQUIRE(http_head(request, head));
    CHECK(head.method == "POST");
    CHECK(head.host == "a.example");
    CHECK(head.agent == "x/1");
    CHECK(http_head(raw("HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n"), head));
    CHECK(head.server == "nginx");
    for (std::size_t size = 0; size < request.size(); ++size)
        http_head(ByteView(request).first(size), head);
}

TEST_CASE("DNS questions, also NetBIOS names, and what is none") {
    std::string name;
    const Raw query = FrameBuilder()
                          .u16(1)
                          .u16(0x0100)
                          .u16(1)
                          .u16(0)
                          .u32(0)
                          .u8(3)
                          .text("www")
                          .u8(2)
                          .text("ex")
                          .u8(0)
                          .u32(0x00010001)
                          .bytes;
    REQUIRE(dns_question(query, false, name));
    CHECK(name == "www.ex");
    for (std::size_t size = 0; size < query.size(); ++size)
        CHECK_FALSE(dns_question(ByteView(query).first(size), false, name));
    Raw netbios = FrameBuilder().u16(1).u16(0x0110).u16(1).u16(0).u32(0).u8(32).bytes;
    for (const char c : std::string_view("FILESERVER     ")) {
        netbios.push_back(static_cast<std::uint8_t>('A' + (c >> 4)));
        netbios.push_back(static_cast<std::uint8_t>('A' + (c & 15)));
    }
    netbios = FrameBuilder().append(netbios).text("AA").u8(0).u32(0x00200001).bytes;
    REQUIRE(dns_question(netbios, true, name));
    CHECK(name == "FILESERVER");
}

TEST_CASE("nDPI's traces run through everything, and the common services are found") {
    const auto folder = std::filesystem::path(AMOSKYS_SHARED_DATA) / "pcap/ndpi/pcap";
    if (!have_traces(folder))
        return;
    std::size_t files = 0;
    std::map<std::string, std::map<std::string, int>> services;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        ++files;
        const auto bytes = file_bytes(entry.path());
        for (const bool verify : {false, true}) {
            Detector detector;
            struct Sink final : FlowSink {
                void record(const Flow& flow, EndReason reason) override {
                    auto event = to_event(flow, reason, {});
                    detector->describe(flow, event);
                    packets += event.packets_sent() + event.packets_recv();
                    ++(*found)[event.service()];
                    if (!event.ja4().empty())
                        ++(*found)[event.ja4().substr(0, 8) + event.ja4().substr(10)];
                }
                Detector* detector = nullptr;
                std::map<std::string, int>* found = nullptr;
                std::uint64_t packets = 0;
            } sink;
            std::map<std::string, int> found;
            sink.detector = &detector;
            sink.found = &found;
            EngineOptions options;
            options.verify_checksums = verify;
            Engine engine(options, sink, &detector);
            TraceParser parser;
            ByteView rest(bytes);
            Frame frame;
            while (true) {
                const auto step = parser.next(rest, frame);
                INFO(entry.path().string());
                REQUIRE(step.has_value());
                if (*step == TraceParser::Step::need_more)
                    break;
                engine.frames({&frame, 1});
            }
            engine.finish(SIZE_MAX);
            CHECK(sink.packets == engine.stats().packets);
            if (!verify)
                services[entry.path().stem().string()] = found;
        }
    }
    CHECK(files == 36);
    const std::pair<const char*, const char*> expected[] = {{"modbus", "modbus"},
                                                            {"mqtt", "mqtt"},
                                                            {"hl7", "hl7"},
                                                            {"snmp", "snmp"},
                                                            {"bacnet", "bacnet"},
                                                            {"dnp3", "dnp3"},
                                                            {"IEC104", "iec104"},
                                                            {"opc-ua", "opcua"},
                                                            {"s7comm", "s7comm"},
                                                            {"quic-v2", "quic"},
                                                            {"vxlan", "vxlan"},
                                                            {"http_ipv6", "tls"},
                                                            {"ssh_unidirectional", "ssh"},
                                                            {"ethernetIP", "ethernet_ip"}};
    for (const auto& [file, service] : expected) {
        INFO(file);
        CHECK(services[file][service] > 0);
    }
    // JA4 as nDPI's results have it, without the two letters of the ALPN, of which that release
    // took the first two instead of the first and the last.
    const std::pair<const char*, const char*> marks[] = {
        {"http_ipv6", "t12d1612_94fc43e2fc61_c9eaec7dbab4"},
        {"vxlan", "t13d3110_e8f1e7e78f70_5ac7197df9d2"},
        {"6in4tunnel", "t12d6608_05dad94a8930_ad3c3a211394"},
        {"6in4tunnel", "t12d1311_94beff773b37_06a4338d0495"},
        {"4in6tunnel", "t12d1909_d83cc789557e_652f19f1cfc7"}};
    for (const auto& [file, mark] : marks) {
        INFO(file << " " << mark);
        CHECK(services[file][mark] > 0);
    }
}
