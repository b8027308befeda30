// Server and client over real TLS on the loopback interface, keys made by pki_init.
#include <openssl/ssl.h>

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "core/base/file.h"
#include "core/io/listener.h"
#include "core/io/tls_stream.h"
#include "core/link/test/running_bus.h"

using namespace amoskys;
using namespace amoskys::link;
using namespace amoskys::link::test;
using namespace std::chrono_literals;
namespace asio = io::asio;

namespace {

// Another CA, with an agent of the same name.
const crypto::PkiPaths& foreign_pki() {
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

// The sequences in the log, in order.
std::vector<std::uint64_t> sequences(wal::Log& log) {
    std::vector<std::uint64_t> out;
    const auto read = log.read({1}, 1'000'000, [&](const wal::RecordView& record) {
        if (record.header.kind == RecordKind::universal) {
            const auto cut = wire::cut_envelope(record.stored);
            REQUIRE(cut.has_value());
            out.push_back(cut->sequence.value);
        }
        return true;
    });
    REQUIRE(read.has_value());
    return out;
}

io::Task<Result<>> call_into(ClientOptions options, wire::Frame request, Result<wire::Frame>* out) {
    auto task = call(std::move(options), std::move(request));
    *out = co_await std::move(task);
    co_return Result<>();
}

wire::Frame health_request() {
    wire::Frame frame;
    frame.mutable_health_request();
    return frame;
}

Result<wire::Frame> call_and_wait(Running& bus, ClientOptions options) {
    Result<wire::Frame> out = make_error(ErrorKind::failed, "unset", "");
    bus.clients.spawn("call", call_into(std::move(options), health_request(), &out));
    bus.until([&] { return bus.clients.size() == 0; });
    return out;
}

io::Task<Result<>> send_raw(asio::io_context* io, io::Endpoint to, std::string bytes,
                            std::string* got) {
    asio::ip::tcp::socket socket(*io);
    const asio::ip::tcp::endpoint peer(asio::ip::make_address(to.host), to.port);
    co_await socket.async_connect(peer, io::use_tuple);
    const auto out = asio::buffer(bytes);
    co_await asio::async_write(socket, out, io::use_tuple);
    auto in = asio::dynamic_buffer(*got);
    co_await asio::async_read(socket, in, io::use_tuple);
    co_return Result<>();
}

// A TLS client of its own making: sends bytes after the handshake and reads to the end.
io::Task<Result<>> send_tls(asio::io_context* io, io::Endpoint to, io::TlsContext context,
                            std::string bytes, std::string* got) {
    asio::ip::tcp::socket socket(*io);
    const asio::ip::tcp::endpoint peer(asio::ip::make_address(to.host), to.port);
    co_await socket.async_connect(peer, io::use_tuple);
    io::TlsStream stream(std::move(socket), context);
    auto shaking = stream.handshake(io::TlsStream::Side::client);
    auto ec = co_await std::move(shaking);
    if (ec)
        co_return Result<>();
    auto writing = stream.write(bytes);
    co_await std::move(writing);
    Bytes space(4096);
    while (!ec) {
        auto reading = stream.read_some(space);
        const auto [failed, size] = co_await std::move(reading);
        ec = failed;
        got->append(reinterpret_cast<const char*>(space.data()), size);
    }
    co_return Result<>();
}

io::TlsContext bare_context(std::uint16_t version) {
    io::TlsContext context(SSL_CTX_new(TLS_method()), SSL_CTX_free);
    REQUIRE(SSL_CTX_set_min_proto_version(context.get(), version) == 1);
    REQUIRE(SSL_CTX_set_max_proto_version(context.get(), version) == 1);
    return context;
}

// After whatever happened before, an honest agent is served.
void still_serves(Running& bus) {
    const auto answer = call_and_wait(bus, bus.client_options());
    INFO((answer ? std::string() : answer.error().message));
    REQUIRE(answer.has_value());
    CHECK(answer->health_answer().overall_status() == "HEALTHY");
}

}  // namespace

TEST_CASE("1,000 envelopes arrive once and in order although the connection is cut three times") {
    Running bus;
    MemorySource source(bus.io, 1000);
    for (const std::uint64_t cut_at : {200U, 450U, 700U}) {
        Client client(bus.io, bus.client_options(), source);
        io::TaskGroup tasks(bus.io);
        tasks.spawn("client", client.run());
        bus.until([&] { return source.acked.value >= cut_at; });
        tasks.cancel();
        bus.until([&] { return tasks.size() == 0; });
    }
    // The last cut may have come after everything was acknowledged: the bus still says where it is.
    source.resumed_after = {};
    Client client(bus.io, bus.client_options(), source);
    bus.clients.spawn("client", client.run());
    bus.until([&] { return source.acked.value == 1000 && source.resumed_after.value != 0; });
    CHECK(source.resumed_after.value >= 700);
    CHECK(client.stats().connected);
    bus.stop();
    const auto stored = sequences(*bus.log);
    REQUIRE(stored.size() == 1000);
    for (std::size_t i = 0; i < stored.size(); ++i)
        REQUIRE(stored[i] == i + 1);
}

TEST_CASE("a client goes to the next bus of its list where one does not answer") {
    Running bus;
    MemorySource source(bus.io, 50);
    auto options = bus.client_options();
    io::Listener dead(bus.io);
    const auto closed = dead.open({"127.0.0.1", 0});
    REQUIRE(closed.has_value());
    dead.close();
    options.buses.insert(options.buses.begin(), *io::parse_endpoint(*closed, 0));
    Client client(bus.io, options, source);
    bus.clients.spawn("client", client.run());
    bus.until([&] { return source.acked.value == 50; });
    CHECK(client.stats().failures >= 1);
    CHECK(client.stats().bus == bus.address);
    bus.stop();  // the client's task uses the source, which goes first
}

TEST_CASE("a peer without certificate is refused by its own reason, and others are served") {
    Running bus;
    auto context = bare_context(TLS1_3_VERSION);
    std::string got;
    bus.clients.spawn("bare",
                      send_tls(&bus.io, *io::parse_endpoint(bus.address, 0), context, "x", &got));
    bus.until([&] { return bus.clients.size() == 0 && bus.refused("no_client_certificate") == 1; });
    CHECK(got.empty());
    still_serves(bus);
}

TEST_CASE("a certificate of another CA is refused on both sides") {
    Running bus;
    auto options = bus.client_options();
    options.tls = agent_files(foreign_pki());
    auto answer = call_and_wait(bus, options);
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().kind == ErrorKind::unavailable);  // the client does not know the bus's CA

    options.tls.ca_cert = pki().ca_cert();
    answer = call_and_wait(bus, options);
    REQUIRE_FALSE(answer.has_value());
    bus.until([&] { return bus.refused("unknown_ca") >= 1; });
    still_serves(bus);
}

TEST_CASE("a server's certificate does not serve as a client's") {
    Running bus;
    auto options = bus.client_options();
    options.tls.cert = pki().bus_cert();
    options.tls.key = pki().bus_key();
    const auto answer = call_and_wait(bus, options);
    REQUIRE_FALSE(answer.has_value());
    bus.until([&] { return bus.refused("wrong_purpose") == 1; });
    still_serves(bus);
}

TEST_CASE("the client refuses a bus whose certificate does not bear the dialled name") {
    Running bus;
    auto options = bus.client_options();
    const auto port = options.buses[0].port;
    options.buses = {{"127.0.0.2", port}};
    const auto answer = call_and_wait(bus, options);
    REQUIRE_FALSE(answer.has_value());
    still_serves(bus);
}

TEST_CASE("TLS 1.2 is refused by its own reason") {
    Running bus;
    auto context = bare_context(TLS1_2_VERSION);
    std::string got;
    bus.clients.spawn("old",
                      send_tls(&bus.io, *io::parse_endpoint(bus.address, 0), context, "x", &got));
    bus.until([&] { return bus.clients.size() == 0 && bus.refused("protocol_version") == 1; });
    still_serves(bus);
}

TEST_CASE("garbage instead of TLS, and silence, each end by their own reason") {
    Running bus;
    std::string got, nothing;
    const auto to = *io::parse_endpoint(bus.address, 0);
    bus.clients.spawn(
        "garbage",
        send_raw(&bus.io, to, "GET / HTTP/1.1\r\n\r\n" + std::string(300, '\x7f'), &got));
    bus.until([&] { return bus.refused("not_tls") == 1; });
    bus.clients.spawn("silence", send_raw(&bus.io, to, "", &nothing));
    bus.until([&] { return bus.refused("timeout") == 1 && bus.clients.size() == 0; });
    still_serves(bus);
}

TEST_CASE("a frame length of 4 GiB is answered FRAME_TOO_LARGE and nothing is allocated for it") {
    Running bus;
    auto context = io::make_client_context(agent_files(pki()));
    REQUIRE(context.has_value());
    std::string got;
    bus.clients.spawn("large", send_tls(&bus.io, *io::parse_endpoint(bus.address, 0), *context,
                                        std::string("\xff\xff\xff\xff", 4), &got));
    bus.until([&] { return bus.clients.size() == 0; });
    const auto frames = frames_of(got);
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].error().code() == amoskys::bus::ErrorFrame::FRAME_TOO_LARGE);
    CHECK(bus.refused("frame_too_large") == 1);
    still_serves(bus);
}

TEST_CASE("an agent that the trust map does not know is refused by name") {
    Running bus;
    const auto trust = read_file(pki().trust_map(), 1 << 20);
    REQUIRE(trust.has_value());
    auto changed = bus.config();
    changed.trust_map = bus.folder.path / "trust.yaml";
    const auto key = pki().agent_public_key("edge-1").string();
    REQUIRE(
        write_file_atomic(changed.trust_map, "agents:\n  other: " + key + "\n", 0600).has_value());
    REQUIRE(bus.server->reload(changed).has_value());
    const auto answer = call_and_wait(bus, bus.client_options());
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().code == "bus_identity_refused");
    CHECK(answer.error().message == "the bus says: agent 'edge-1' is not in the trust map");
    CHECK(bus.refused("unknown_agent") == 1);
    REQUIRE(bus.server->reload(bus.config()).has_value());
    still_serves(bus);
}

TEST_CASE("a reload with a broken file keeps the former state") {
    Running bus;
    auto changed = bus.config();
    changed.tls.cert = bus.folder.path / "missing.crt";
    const auto done = bus.server->reload(changed);
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().code == "tls_file_missing");
    still_serves(bus);
}

TEST_CASE("a stopping bus acknowledges what it has and the client keeps the rest") {
    Running bus;
    MemorySource source(bus.io, 400);
    Client client(bus.io, bus.client_options(), source);
    bus.clients.spawn("client", client.run());
    bus.until([&] { return source.acked.value >= 50; });
    bus.group.cancel();
    bus.until([&] { return bus.group.size() == 0; });
    bus.clients.cancel();
    bus.until([&] { return bus.clients.size() == 0; });
    bus.writer->stop();
    const auto stored = sequences(*bus.log);
    CHECK(stored.size() >= source.acked.value);
    for (std::size_t i = 0; i < stored.size(); ++i)
        REQUIRE(stored[i] == i + 1);
}
