// Both ends over real sockets of the loopback interface, in one thread, keys made by pki_init.
#include "core/io/tls_stream.h"

#include <openssl/ssl.h>

#include <boost/asio/ssl/error.hpp>
#include <catch2/catch.hpp>
#include <filesystem>

#include "core/base/test/temp_folder.h"
#include "core/crypto/hash.h"
#include "core/crypto/pki.h"
#include "core/io/runtime.h"

using namespace amoskys;
using namespace std::chrono_literals;
namespace asio = io::asio;
using Side = io::TlsStream::Side;
using asio::ip::tcp;

namespace {

const crypto::PkiPaths& pki() {
    static const TempFolder folder;
    static const crypto::PkiPaths paths = [] {
        crypto::PkiPaths made{folder.path / "pki"};
        crypto::InitRequest request;
        request.local_agent = "edge-1";
        REQUIRE(crypto::pki_init(made, request, system_clock()).has_value());
        return made;
    }();
    return paths;
}

io::TlsFiles bus_files() {
    return {pki().ca_cert(), pki().bus_cert(), pki().bus_key()};
}

io::Task<Result<>> shake(io::TlsStream* stream, Side side, boost::system::error_code* out) {
    auto task = stream->handshake(side);
    *out = co_await std::move(task);
    co_return Result<>();
}

io::Task<Result<>> write(io::TlsStream* stream, std::string bytes, boost::system::error_code* out) {
    auto task = stream->write(bytes);
    *out = co_await std::move(task);
    co_return Result<>();
}

// Reads until `wanted` bytes or an error, in spaces of the given size.
io::Task<Result<>> read(io::TlsStream* stream, std::size_t space_bytes, std::size_t wanted,
                        std::string* got, boost::system::error_code* out) {
    Bytes space(space_bytes);
    while (got->size() < wanted && !*out) {
        auto task = stream->read_some(space);
        const auto [ec, size] = co_await std::move(task);
        *out = ec;
        got->append(reinterpret_cast<const char*>(space.data()), size);
    }
    co_return Result<>();
}

struct Pair {
    Pair() {
        tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        tcp::socket dialled(io);
        dialled.connect(acceptor.local_endpoint());
        auto accepted = acceptor.accept();
        const auto server_context = io::make_server_context(bus_files());
        const auto client_context = io::make_client_context(
            {pki().ca_cert(), pki().agent_cert("edge-1"), pki().agent_key("edge-1")});
        REQUIRE(server_context.has_value());
        REQUIRE(client_context.has_value());
        server = std::make_unique<io::TlsStream>(std::move(accepted), *server_context);
        client = std::make_unique<io::TlsStream>(std::move(dialled), *client_context);
    }
    ~Pair() {
        tasks.cancel();
        settle();
    }
    void open() {
        boost::system::error_code at_server, at_client;
        tasks.spawn("server", shake(server.get(), Side::server, &at_server));
        tasks.spawn("client", shake(client.get(), Side::client, &at_client));
        settle();
        INFO(at_server.message() << " / " << at_client.message());
        REQUIRE((!at_server && !at_client));
    }
    template <class Done>
    void until(Done done) {
        const auto limit = std::chrono::steady_clock::now() + 30s;
        while (!done() && std::chrono::steady_clock::now() < limit) {
            io.restart();
            io.run_one_for(50ms);
        }
        REQUIRE(done());
    }
    void settle() {
        until([&] { return tasks.size() == 0; });
    }

    asio::io_context io;
    std::unique_ptr<io::TlsStream> server, client;
    io::TaskGroup tasks{io};
};

std::string pattern(std::size_t size_bytes) {
    std::string out(size_bytes, '\0');
    crypto::random_bytes(std::span(reinterpret_cast<std::uint8_t*>(out.data()), out.size()));
    return out;
}

}  // namespace

TEST_CASE("bytes arrive as they were sent, both ways at once, whatever the size of the reads") {
    for (const std::size_t space_bytes : {1U, 100U, 16'384U, 300'000U}) {
        Pair pair;
        pair.open();
        const auto size = space_bytes == 1 ? 40'000U : 3'000'000U;
        const auto up = pattern(size), down = pattern(size);
        std::string at_server, at_client;
        boost::system::error_code errors[4];
        pair.tasks.spawn("up", write(pair.client.get(), up, &errors[0]));
        pair.tasks.spawn("down", write(pair.server.get(), down, &errors[1]));
        pair.tasks.spawn("at server",
                         read(pair.server.get(), space_bytes, size, &at_server, &errors[2]));
        pair.tasks.spawn("at client",
                         read(pair.client.get(), space_bytes, size, &at_client, &errors[3]));
        pair.settle();
        for (const auto& ec : errors)
            CHECK_FALSE(ec);
        CHECK(at_server == up);
        CHECK(at_client == down);
        CHECK(pair.server->held_bytes() == 0);
        CHECK(pair.client->held_bytes() == 0);
    }
}

TEST_CASE("a peer that does not read costs one part of the output, and close() ends the wait") {
    Pair pair;
    pair.open();
    boost::system::error_code ec;
    pair.tasks.spawn("write", write(pair.server.get(), pattern(64 << 20), &ec));
    std::size_t held = 0;
    pair.until([&] {
        const auto now = pair.server->held_bytes();
        return now != 0 && now == std::exchange(held, now);
    });
    CHECK(held < 140 * 1024);  // a vector that grew to 64 KiB and the records' overhead
    pair.server->close();
    pair.settle();
    CHECK(ec == asio::error::operation_aborted);
}

TEST_CASE("the end of a stream is eof, with and without close_notify") {
    for (const bool polite : {true, false}) {
        Pair pair;
        pair.open();
        std::string got;
        boost::system::error_code wrote, ec;
        pair.tasks.spawn("write", write(pair.client.get(), "last words", &wrote));
        pair.tasks.spawn("read", read(pair.server.get(), 4096, 1000, &got, &ec));
        pair.until([&] { return got.size() == 10; });
        if (polite)
            pair.client->shutdown_send();
        else
            pair.client->close();
        pair.settle();
        CHECK(got == "last words");
        CHECK(ec == asio::error::eof);
    }
}

TEST_CASE("what is no record ends the stream with the library's reason") {
    Pair pair;
    pair.open();
    std::string got;
    boost::system::error_code ec;
    pair.client->socket().send(asio::buffer(std::string(100, 'x')));
    pair.tasks.spawn("read", read(pair.server.get(), 4096, 1000, &got, &ec));
    pair.settle();
    CHECK(got.empty());
    CHECK(ec.category() == asio::error::get_ssl_category());
    CHECK(io::handshake_reason(ec, pair.server->native_handle()) == "not_tls");
}

TEST_CASE("a key update is answered and both ways go on") {
    Pair pair;
    pair.open();
    std::string got;
    boost::system::error_code wrote, ec;
    REQUIRE(SSL_key_update(pair.client->native_handle(), SSL_KEY_UPDATE_REQUESTED) == 1);
    pair.tasks.spawn("read", read(pair.server.get(), 4096, 5, &got, &ec));
    pair.tasks.spawn("write", write(pair.client.get(), "after", &wrote));
    pair.settle();
    CHECK(got == "after");
    got.clear();
    pair.tasks.spawn("read back", read(pair.client.get(), 4096, 5, &got, &ec));
    pair.tasks.spawn("write back", write(pair.server.get(), "there", &wrote));
    pair.settle();
    CHECK(got == "there");
}

TEST_CASE("a server's context is refused where agents would refuse its certificate") {
    auto files = bus_files();
    CHECK(io::make_server_context(files).has_value());
    files.cert = pki().agent_cert("edge-1");  // not for a server
    files.key = pki().agent_key("edge-1");
    const auto purpose = io::make_server_context(files);
    REQUIRE_FALSE(purpose.has_value());
    CHECK(purpose.error().code == "tls_certificate_unusable");
    files = bus_files();
    files.key = pki().agent_key("edge-1");
    const auto key = io::make_server_context(files);
    REQUIRE_FALSE(key.has_value());
    CHECK(key.error().code == "tls_file_invalid");
}
