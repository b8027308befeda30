#include "modules/tools/dash/connection.h"

#include <array>
#include <boost/asio/write.hpp>

#include "core/io/runtime.h"

namespace amoskys::modules::dash {
namespace {

constexpr std::size_t read_bytes = 16 * 1024;
constexpr auto linger_time = std::chrono::seconds(1);

}  // namespace

Connection::Connection(io::asio::ip::tcp::socket socket, io::TlsContext tls)
    : socket_(std::move(socket)) {
    ErrorCode ignored;
    socket_.set_option(io::asio::ip::tcp::no_delay(true), ignored);
    if (tls)
        tls_ = std::make_unique<io::TlsStream>(std::move(socket_), std::move(tls));
    else
        socket_.non_blocking(true, ignored);
}

io::Task<Connection::ErrorCode> Connection::start() {
    if (!tls_)
        co_return ErrorCode();
    auto shaking = tls_->handshake(io::TlsStream::Side::server);
    const ErrorCode ec = co_await std::move(shaking);
    co_return ec;
}

io::Task<Connection::ErrorCode> Connection::read(std::string& out) {
    while (true) {
        ErrorCode ec;
        if (tls_) {
            auto waiting = tls_->wait_input();
            ec = co_await std::move(waiting);
        } else {
            auto [failed] =
                co_await socket_.async_wait(io::asio::ip::tcp::socket::wait_read, io::use_tuple);
            ec = failed;
        }
        if (ec)
            co_return ec;
        std::array<std::uint8_t, read_bytes>& space = []() -> auto& {
            static thread_local std::array<std::uint8_t, read_bytes> bytes;
            return bytes;
        }
        ();
        const std::size_t size =
            tls_ ? tls_->read(space, ec) : socket_.read_some(io::asio::buffer(space), ec);
        if (ec && ec != io::asio::error::would_block && ec != io::asio::error::try_again)
            co_return ec;
        out.append(reinterpret_cast<const char*>(space.data()), size);
        if (size != 0)
            co_return ErrorCode();
    }
}

io::Task<Connection::ErrorCode> Connection::write(std::string_view bytes) {
    if (tls_) {
        auto writing = tls_->write(bytes);
        const ErrorCode ec = co_await std::move(writing);
        co_return ec;
    }
    const auto buffer = io::asio::buffer(bytes.data(), bytes.size());
    auto [ec, size] = co_await io::asio::async_write(socket_, buffer, io::use_tuple);
    co_return ec;
}

io::Task<> Connection::linger() {
    ErrorCode ec;
    if (tls_)
        tls_->shutdown_send();
    else
        socket_.shutdown(io::asio::ip::tcp::socket::shutdown_send, ec);
    const io::Deadline deadline(
        static_cast<io::asio::io_context&>(socket_.get_executor().context()), linger_time,
        [this] { close(); });
    std::string dropped;
    while (!ec) {
        dropped.clear();
        auto reading = read(dropped);
        ec = co_await std::move(reading);
    }
}

void Connection::close() {
    ErrorCode ignored;
    if (tls_)
        tls_->close();
    else
        socket_.close(ignored);
}

std::string Connection::peer() const {
    ErrorCode ec;
    const auto remote = (tls_ ? tls_->socket() : socket_).remote_endpoint(ec);
    return ec ? std::string() : remote.address().to_string();
}

std::string Connection::client_cn() const {
    return tls_ ? io::peer_common_name(tls_->native_handle()) : std::string();
}

}  // namespace amoskys::modules::dash
