#include "core/io/http_server.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

using namespace amoskys;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

io::Task<Result<>> fetch(asio::io_context* io, std::string address, std::string request,
                         std::string* out, io::TaskGroup* stop) {
    auto at = io::parse_endpoint(address, 0);
    asio::ip::tcp::socket socket(*io);
    asio::ip::tcp::endpoint peer(asio::ip::make_address(at->host), at->port);
    co_await socket.async_connect(peer, io::use_tuple);
    auto bytes = asio::buffer(request);
    co_await asio::async_write(socket, bytes, io::use_tuple);
    auto into = asio::dynamic_buffer(*out);
    co_await asio::async_read(socket, into, io::use_tuple);
    stop->cancel();
    co_return Result<>();
}

std::string get(std::string request) {
    asio::io_context io;
    std::map<std::string, io::HttpHandler> handlers;
    handlers["/metrics"] = [](const io::HttpRequest& in) {
        return io::HttpResponse{200, "text/plain; version=0.0.4",
                                in.query + "|" + in.accept + "\n"};
    };
    io::HttpServer server(io, handlers);
    const auto address = server.listen({"127.0.0.1", 0});
    REQUIRE(address.has_value());
    std::string out;
    io::TaskGroup group(io), client(io);
    group.spawn("server", server.run());
    client.spawn("client", fetch(&io, *address, std::move(request), &out, &group));
    io.run_for(20s);
    REQUIRE(group.size() == 0);
    REQUIRE(client.size() == 0);
    return out;
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a handler gets path, query and accept, and its answer goes out whole") {
    const auto out =
        get("GET /metrics?a=b HTTP/1.1\r\nHost: x\r\nAccept: text/x\r\nConnection: close\r\n\r\n");
    CHECK(out.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(has(out, "Content-Type: text/plain; version=0.0.4\r\n"));
    CHECK(out.ends_with("\r\n\r\na=b|text/x\n"));
}

TEST_CASE("HEAD gives the size without the body") {
    const auto out = get("HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    CHECK(out.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(has(out, "Content-Length: 2\r\n"));
    CHECK(out.ends_with("\r\n\r\n"));
}

TEST_CASE(
    "unknown paths, other methods, garbage and long requests are refused by their own status") {
    CHECK(get("GET /x HTTP/1.1\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 404 "));
    const auto post = get("DELETE /metrics HTTP/1.1\r\nConnection: close\r\n\r\n");
    CHECK(post.starts_with("HTTP/1.1 405 "));
    CHECK(has(post, "Allow: GET, HEAD\r\n"));
    CHECK(get("\x16\x03\x01 garbage\r\n\r\n").starts_with("HTTP/1.1 400 "));
    CHECK(
        get("GET /" + std::string(20000, 'a') + " HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 431 "));
}

TEST_CASE("a second server on the same port is told that the address is in use") {
    asio::io_context io;
    io::HttpServer first(io, {}), second(io, {});
    const auto address = first.listen({"localhost", 0});
    REQUIRE(address.has_value());
    const auto at = io::parse_endpoint(*address, 0);
    const auto again = second.listen(*at);
    REQUIRE_FALSE(again.has_value());
    CHECK(again.error().kind == ErrorKind::unavailable);
    CHECK(again.error().code == "address_in_use");
    CHECK_FALSE(second.listen({"bus.example", 0}).has_value());
}
