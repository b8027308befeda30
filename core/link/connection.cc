#include "core/link/connection.h"

#include "core/wire/frame.h"

namespace amoskys::link {
namespace {

namespace asio = io::asio;

std::string_view explain(std::string_view reason) {
    if (reason == "no_client_certificate")
        return "it wants a client certificate";
    if (reason == "unknown_ca")
        return "the certificate is not of the same CA";
    if (reason == "certificate_expired")
        return "the certificate has expired";
    if (reason == "certificate_not_yet_valid")
        return "the certificate is not yet valid";
    if (reason == "wrong_purpose")
        return "the certificate is not for this purpose";
    if (reason == "weak_certificate")
        return "the certificate or its chain is too weak";
    if (reason == "no_shared_cipher" || reason == "no_shared_group" ||
        reason == "no_shared_signature")
        return "it has no algorithm in common with this side";
    if (reason == "name_mismatch")
        return "the certificate does not bear this name";
    if (reason == "protocol_version")
        return "it does not speak TLS 1.3";
    if (reason == "not_tls")
        return "it does not speak TLS";
    if (reason == "alpn")
        return "it does not speak amoskys/1";
    if (reason == "closed")
        return "it closed the connection";
    if (reason == "timeout")
        return "no answer in time";
    return "";
}

Error handshake_error(const std::string& address, const boost::system::error_code& ec,
                      TlsStream& stream) {
    const auto reason = io::handshake_reason(ec, stream.native_handle());
    const auto text = explain(reason);
    return make_error(ErrorKind::unavailable, "bus_handshake",
                      "TLS handshake with bus " + address +
                          " failed: " + (text.empty() ? ec.message() : std::string(text)));
}

}  // namespace

Error read_error(const boost::system::error_code& ec, TlsStream& stream) {
    const auto reason = io::handshake_reason(ec, stream.native_handle());
    const auto text = explain(reason);
    return make_error(
        ErrorKind::unavailable, reason == "closed" ? "bus_closed" : "bus_connection",
        "the bus ended the connection: " + (text.empty() ? ec.message() : std::string(text)));
}

io::Task<Result<>> read_frames(TlsStream* stream, std::function<Result<>(ByteView body)> on_frame,
                               std::function<void()> after_read) {
    wire::FrameReader reader;
    while (true) {
        auto reading = stream->read_some(reader.prepare());
        auto [ec, size] = co_await std::move(reading);
        if (ec)
            co_return read_error(ec, *stream);
        reader.commit(size);
        while (true) {
            auto body = reader.next();
            if (!body)
                co_return body.error();
            if (!*body)
                break;
            auto done = on_frame(**body);
            if (!done)
                co_return done.error();
        }
        after_read();
    }
}

io::Task<Result<>> write_out(asio::io_context& io, TlsStream* stream, std::string* out,
                             std::chrono::nanoseconds stall) {
    io::Deadline deadline(io, stall, [stream] { stream->close(); });
    auto writing = stream->write(*out);
    const auto ec = co_await std::move(writing);
    if (deadline.expired())
        co_return make_error(ErrorKind::unavailable, "bus_stalled", "the bus does not read");
    if (ec)
        co_return read_error(ec, *stream);
    out->clear();
    co_return Result<>();
}

io::Task<Result<std::unique_ptr<TlsStream>>> dial(asio::io_context& io, io::Endpoint bus,
                                                  TlsContext context, ClientOptions options) {
    const auto address = io::format_endpoint(bus.host, bus.port);
    auto lookup = io::resolve(bus.host);
    auto addresses = co_await std::move(lookup);
    if (!addresses)
        co_return addresses.error();

    asio::ip::tcp::socket socket(io);
    boost::system::error_code error = asio::error::host_unreachable;
    for (const auto& ip : *addresses) {
        boost::system::error_code ignored;
        socket.close(ignored);
        io::Deadline deadline(io, options.connect_timeout, [&socket] {
            boost::system::error_code unused;
            socket.close(unused);
        });
        const asio::ip::tcp::endpoint to(ip, bus.port);
        auto [ec] = co_await socket.async_connect(to, io::use_tuple);
        error = deadline.expired() ? asio::error::timed_out : ec;
        if (!error)
            break;
        const bool stop = co_await io::cancelled();
        if (stop)
            break;
    }
    if (error)
        co_return make_error(ErrorKind::unavailable, "bus_unreachable",
                             "cannot connect to bus " + address + ": " + error.message(),
                             "is the bus running there? `amoskys bus` starts one");
    boost::system::error_code ignored;
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    auto stream = std::make_unique<TlsStream>(std::move(socket), context);
    if (auto named = io::expect_server_name(stream->native_handle(), bus.host); !named)
        co_return named.error();
    io::Deadline deadline(io, options.handshake_timeout, [raw = stream.get()] { raw->close(); });
    auto shaking = stream->handshake(TlsStream::Side::client);
    auto ec = co_await std::move(shaking);
    if (deadline.expired())
        ec = asio::error::timed_out;
    if (ec)
        co_return handshake_error(address, ec, *stream);
    if (!io::agreed_on_protocol(stream->native_handle()))
        co_return make_error(
            ErrorKind::unavailable, "bus_handshake",
            "TLS handshake with bus " + address + " failed: it does not speak amoskys/1");
    co_return stream;
}

}  // namespace amoskys::link
