#include "modules/tools/dash/message.h"

#include <catch2/catch.hpp>

using namespace amoskys;
using namespace amoskys::modules::dash;

namespace {

Request request_of(std::string_view bytes) {
    RequestReader reader;
    REQUIRE(reader.feed(bytes) == RequestReader::State::whole);
    return reader.take();
}

unsigned refusal_of(std::string_view bytes) {
    RequestReader reader;
    REQUIRE(reader.feed(bytes) == RequestReader::State::refused);
    return reader.refusal().status;
}

std::string path_of(std::string_view target) {
    return request_of("GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n").path;
}

}  // namespace

TEST_CASE("a request is the same however its bytes are cut") {
    const std::string bytes =
        "POST /api/v1/login?a=1&b=%20x+y HTTP/1.1\r\nHost: Localhost:8787\r\nContent-Length: 4\r\n"
        "Cookie: k=v\r\n\r\n{\"\"}";
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
        RequestReader reader;
        auto state = RequestReader::State::more;
        for (std::size_t at = 0; at < bytes.size(); at += piece)
            state = reader.feed(std::string_view(bytes).substr(at, piece));
        REQUIRE(state == RequestReader::State::whole);
        const Request request = reader.take();
        CHECK(request.method == "POST");
        CHECK(request.path == "/api/v1/login");
        CHECK(request.body == "{\"\"}");
        CHECK(request.host == "Localhost:8787");
        CHECK(request.cookie == "k=v");
        REQUIRE(request.query.size() == 2);
        CHECK(request.query[1].second == " x y");
        CHECK(request.keep_alive);
    }
}

TEST_CASE("a request that follows in the same bytes is read next") {
    RequestReader reader;
    REQUIRE(reader.feed("GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n") ==
            RequestReader::State::whole);
    CHECK(reader.take().path == "/a");
    REQUIRE(reader.feed({}) == RequestReader::State::whole);
    CHECK(reader.take().path == "/b");
    CHECK(reader.feed({}) == RequestReader::State::more);
    CHECK_FALSE(reader.begun());
}

TEST_CASE("requests over the limits and malformed ones are refused with their status") {
    CHECK(refusal_of("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'a') + "\r\n\r\n") == 431);
    CHECK(refusal_of("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n") == 413);
    CHECK(refusal_of("\x16\x03\x01 hello\r\n\r\n") == 400);
    CHECK(
        refusal_of("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n") ==
        400);
    CHECK(refusal_of("GET / HTTP/1.1\r\nBad Header: x\r\n\r\n") == 400);
}

TEST_CASE("a chunked body over the limit is refused as it comes") {
    RequestReader reader;
    auto state = reader.feed("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = "4000\r\n" + std::string(0x4000, 'a') + "\r\n";
    for (int i = 0; i < 6 && state == RequestReader::State::more; ++i)
        state = reader.feed(chunk);
    REQUIRE(state == RequestReader::State::refused);
    CHECK(reader.refusal().status == 413);
}

TEST_CASE("a target that leaves the tree or hides bytes is no path") {
    CHECK(path_of("/api/v1/stats") == "/api/v1/stats");
    CHECK(path_of("/") == "/");
    for (const char* bad : {"/../etc/passwd", "/a/%2e%2e/b", "/a//b", "/a%00", "/a%0d%0aX:1",
                            "/%zz", "/%c3%28", "http://x/", "*", "/a/./b"})
        CHECK(path_of(bad).empty());
}

TEST_CASE("a name with a slash in it stays one segment") {
    const Request request = request_of("GET /api/v1/devices/rack%2F7 HTTP/1.1\r\nHost: a\r\n\r\n");
    REQUIRE(request.segments.size() == 4);
    CHECK(request.segments[3] == "rack/7");
}

TEST_CASE("of two Host headers neither is believed") {
    CHECK(request_of("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").host.empty());
}

TEST_CASE("every answer carries the headers that keep a page from running what it is sent") {
    const std::string wire = to_wire({}, problem(404, "not_found", "x"), false);
    CHECK(wire.find("default-src 'none'") != std::string::npos);
    CHECK(wire.find("require-trusted-types-for 'script'") != std::string::npos);
    CHECK(wire.find("X-Content-Type-Options: nosniff") != std::string::npos);
    CHECK(wire.find("Cache-Control: no-store") != std::string::npos);
    CHECK(wire.find("Connection: close") != std::string::npos);
}

TEST_CASE("a problem's text cannot break out of its line") {
    const Response made = problem(400, "bad", "a\r\nSet-Cookie: x\x1b[31m");
    CHECK(made.body.find('\r') == std::string::npos);
    CHECK(made.body.find('\x1b') == std::string::npos);
}

TEST_CASE("an answer that the client has is not sent again") {
    Request request;
    const Response first = json_response(request, {{"a", 1}});
    REQUIRE(first.status == 200);
    request.if_none_match = "\"other\", W/" + *find(first.headers, "ETag");
    const Response second = json_response(request, {{"a", 1}});
    CHECK(second.status == 304);
    CHECK(second.body.empty());
    CHECK(json_response(request, {{"a", 2}}).status == 200);
}

TEST_CASE("HEAD gets the length and no body") {
    Request request;
    request.method = "HEAD";
    const std::string wire = to_wire(request, json_response(request, {{"a", 1}}), true);
    CHECK(wire.find("Content-Length: 8") != std::string::npos);
    CHECK(wire.ends_with("\r\n\r\n"));
}
