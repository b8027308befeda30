#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>

#include "core/io/runtime.h"

using namespace amoskys;
namespace asio = boost::asio;

TEST_CASE("endpoints are read in each of their forms") {
    const auto check = [](std::string_view text, std::string_view host, unsigned port) {
        INFO(text);
        const auto e = io::parse_endpoint(text, 50051);
        REQUIRE(e.has_value());
        CHECK(e->host == host);
        CHECK(e->port == port);
    };
    check("127.0.0.1:9000", "127.0.0.1", 9000);
    check("[::1]:9000", "::1", 9000);
    check("[::1]", "::1", 50051);
    check("bus.example", "bus.example", 50051);
    check("bus.example:0", "bus.example", 0);
    check(":9000", "127.0.0.1", 9000);
    CHECK(io::format_endpoint("::1", 9) == "[::1]:9");
    CHECK(io::format_endpoint("a", 9) == "a:9");
}

TEST_CASE("what is not an endpoint is refused with the allowed forms") {
    for (const auto* text : {"", "a:b", "a:65536", "a:-1", "::1:9", "[::1", "[x]:1", "[::1]9",
                             "a b:1", "http://a:1", "a:", "a:1x"}) {
        INFO(text);
        const auto e = io::parse_endpoint(text, 1);
        REQUIRE_FALSE(e.has_value());
        CHECK(e.error().kind == ErrorKind::usage);
        CHECK(e.error().message.find("HOST:PORT") != std::string::npos);
    }
}

TEST_CASE("a hosts file gives the addresses of a name or alias, whatever its case") {
    const auto found = io::find_in_hosts(
        "# comment\n10.0.0.1 bus.example bus # bus2\nnonsense bus\nfe80::1\tBUS\r\n10.0.0.2 "
        "other\n",
        "bus");
    REQUIRE(found.size() == 2);
    CHECK(found[0].to_string() == "10.0.0.1");
    CHECK(found[1].to_string() == "fe80::1");
    CHECK(io::find_in_hosts("10.0.0.1 bus # bus2\n", "bus2").empty());
}

namespace {
using Addresses = Result<std::vector<asio::ip::address>>;
io::Task<Result<>> resolve_into(std::string host, Addresses* out) {
    *out = co_await io::resolve(host);
    co_return Result<>();
}
}  // namespace

TEST_CASE("localhost and numeric addresses resolve without asking anybody") {
    asio::io_context io;
    io::TaskGroup group(io);
    Addresses local = make_error(ErrorKind::failed, "", ""), v6 = local;
    group.spawn("a", resolve_into("localhost", &local));
    group.spawn("b", resolve_into("2001:db8::1", &v6));
    io.poll();  // one poll is enough: nothing waits for a resolver thread
    REQUIRE(group.size() == 0);
    REQUIRE(local.has_value());
    CHECK(local->at(0).to_string() == "127.0.0.1");
    CHECK(local->at(1).to_string() == "::1");
    REQUIRE(v6.has_value());
    CHECK(v6->at(0).to_string() == "2001:db8::1");
}
