#include "modules/collectors/snmp/target.h"

#include <catch2/catch.hpp>

using namespace amoskys;
using namespace amoskys::snmp;

TEST_CASE("targets are read in every form") {
    struct Case {
        const char *text, *id, *transport, *host;
        std::uint16_t port;
    };
    for (const Case& c : {Case{"udp:127.0.0.1:1161", "127.0.0.1", "udp", "127.0.0.1", 1161},
                          Case{"switch1", "switch1", "udp", "switch1", 161},
                          Case{"switch1:162", "switch1", "udp", "switch1", 162},
                          Case{"tcp:switch1", "switch1", "tcp", "switch1", 161},
                          Case{"udp6:[::1]:1161", "::1", "udp6", "::1", 1161},
                          Case{"[::1]:1161", "::1", "udp6", "::1", 1161},
                          Case{"2001:db8::7", "2001:db8::7", "udp6", "2001:db8::7", 161},
                          Case{"tcp:[::1]", "::1", "tcp6", "::1", 161},
                          Case{"core-1=udp:10.0.0.1:161", "core-1", "udp", "10.0.0.1", 161}}) {
        INFO(c.text);
        const auto target = parse_target(c.text);
        REQUIRE(target.has_value());
        CHECK(target->device_id == c.id);
        CHECK(target->transport == c.transport);
        CHECK(target->host == c.host);
        CHECK(target->port == c.port);
    }
}

TEST_CASE("a wrong target is refused with what is allowed") {
    for (const char* text :
         {"", "udp:", "udp::161", "host:", "host:0", "host:65536", "host:x", "[::1", "[::1]x",
          "=host", "a b=host", "ho st", "[]:161", "http://host", "name="}) {
        INFO(text);
        const auto target = parse_target(text);
        REQUIRE_FALSE(target.has_value());
        CHECK(target.error().kind == ErrorKind::config);
        CHECK(target.error().message.starts_with("agent.snmp.target: "));
        CHECK(target.error().hint.find("udp:192.0.2.7:161") != std::string::npos);
    }
}
