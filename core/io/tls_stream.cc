#include "core/io/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/impl/error.ipp>  // all that is compiled of asio::ssl
#include <boost/asio/this_coro.hpp>
#include <climits>
#include <cstring>

#include "core/base/check.h"
#include "core/io/runtime.h"

namespace amoskys::io {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t receive_bytes = 128 * 1024;
// A record and its overhead: less room than this is not worth a system call.
constexpr std::size_t receive_least = 17 * 1024;
constexpr std::size_t write_bytes = 64 * 1024;  // four full records

bool would_block(const error_code& ec) {
    return ec == asio::error::would_block || ec == asio::error::try_again;
}

}  // namespace

// Shared by the connections of a thread: each uses it within one call only.
struct TlsStream::Staging {
    Bytes in = Bytes(receive_bytes);
    Bytes out;
};

TlsStream::Staging& TlsStream::staging() {
    thread_local const auto buffers = std::make_unique<Staging>();
    return *buffers;
}

// BoringSSL's view of the connection: memory that is there or not.
struct TlsBio {
    static TlsStream& stream(BIO* bio) { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

    static int read(BIO* bio, char* out, int size) {
        BIO_clear_retry_flags(bio);
        auto& input = stream(bio).input_;
        if (input.empty()) {
            BIO_set_retry_read(bio);
            return -1;
        }
        const auto taken = std::min(input.size(), static_cast<std::size_t>(size));
        std::memcpy(out, input.data(), taken);
        input = input.subspan(taken);
        return static_cast<int>(taken);
    }
    static int write(BIO*, const char* data, int size) {
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(data);
        auto& out = TlsStream::staging().out;
        out.insert(out.end(), bytes, bytes + size);
        return size;
    }
    static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH; }

    static const BIO_METHOD* method() {
        static const BIO_METHOD* const made = [] {
            BIO_METHOD* fresh = BIO_meth_new(BIO_get_new_index(), "stream");
            check(fresh != nullptr && BIO_meth_set_read(fresh, read) == 1 &&
                      BIO_meth_set_write(fresh, write) == 1 &&
                      BIO_meth_set_ctrl(fresh, control) == 1,
                  "memory for a BIO method");
            return fresh;
        }();
        return made;
    }
};

void TlsStream::FreeSsl::operator()(SSL* ssl) const {
    SSL_free(ssl);
}

TlsStream::TlsStream(tcp::socket socket, TlsContext context)
    : socket_(std::move(socket)), context_(std::move(context)), ssl_(SSL_new(context_.get())) {
    BIO* bio = BIO_new(TlsBio::method());
    check(ssl_ && bio != nullptr, "memory for a TLS connection");
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_shed_handshake_config(ssl_.get(), 1);
}

TlsStream::~TlsStream() = default;

void TlsStream::close() {
    error_code ignored;
    socket_.close(ignored);
}

void TlsStream::shutdown_send() {
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
    (void)ship();  // where the kernel is full, FIN alone has to do
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
}

error_code TlsStream::failure(int result) {
    const int error = SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_WANT_READ)
        return asio::error::would_block;
    if (error == SSL_ERROR_ZERO_RETURN)
        return asio::error::eof;
    const auto packed = ERR_get_error();
    ERR_clear_error();
    if (packed == 0)
        return asio::error::connection_aborted;
    return {static_cast<int>(packed), asio::error::get_ssl_category()};
}

error_code TlsStream::receive(std::size_t at_most) {
    auto& buffer = staging().in;
    const auto wanted = std::clamp(at_most, receive_least, buffer.size());
    error_code ec;
    const auto size = socket_.receive(asio::buffer(buffer.data(), wanted), 0, ec);
    more_ = !ec && size == wanted;
    if (!ec)
        input_ = ByteView(buffer.data(), size);
    return ec;
}

// The thread's buffer is for the next connection.
void TlsStream::keep_input() {
    Bytes rest(input_.begin(), input_.end());
    carry_.swap(rest);
    input_ = carry_;
}

error_code TlsStream::ship() {
    auto& out = staging().out;
    error_code ec;
    std::size_t sent = 0;
    while (pending_.empty() && sent < out.size() && !ec)
        sent += socket_.send(asio::buffer(out.data() + sent, out.size() - sent), 0, ec);
    pending_.insert(pending_.end(), out.begin() + static_cast<std::ptrdiff_t>(sent), out.end());
    out.clear();
    return would_block(ec) ? error_code() : ec;
}

Task<error_code> TlsStream::flush() {
    std::size_t sent = 0;
    error_code ec;
    // The other task may append meanwhile.
    while (sent < pending_.size() && !ec) {
        sent += socket_.send(asio::buffer(pending_.data() + sent, pending_.size() - sent), 0, ec);
        if (!would_block(ec))
            continue;
        pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(sent));
        sent = 0;
        auto [waited] = co_await socket_.async_wait(tcp::socket::wait_write, use_tuple);
        ec = waited;
    }
    Bytes().swap(pending_);
    co_return ec;
}

Task<error_code> TlsStream::handshake(Side side) {
    error_code ec;
    socket_.non_blocking(true, ec);
    if (side == Side::client)
        SSL_set_connect_state(ssl_.get());
    else
        SSL_set_accept_state(ssl_.get());
    while (!ec) {
        ERR_clear_error();
        const int done = SSL_do_handshake(ssl_.get());
        ec = done == 1 ? error_code() : failure(done);
        keep_input();
        const auto shipped = ship();
        if (ec && !would_block(ec))
            co_return ec;
        if (shipped)
            co_return shipped;
        auto flushing = flush();
        const auto flushed = co_await std::move(flushing);
        if (flushed || done == 1)
            co_return flushed;
        ec = receive(receive_least);
        if (!would_block(ec))
            continue;
        auto [waited] = co_await socket_.async_wait(tcp::socket::wait_read, use_tuple);
        ec = waited;
    }
    co_return ec;
}

Task<error_code> TlsStream::wait_input() {
    const bool stop = co_await cancelled();
    if (stop)
        co_return asio::error::operation_aborted;
    // Records that wait here give others their turn as a wait would.
    if (more_ || !input_.empty() || SSL_pending(ssl_.get()) > 0) {
        auto executor = co_await asio::this_coro::executor;
        co_await asio::post(executor, use_tuple);
        co_return error_code();
    }
    auto [waited] = co_await socket_.async_wait(tcp::socket::wait_read, use_tuple);
    co_return waited;
}

std::size_t TlsStream::read(std::span<std::uint8_t> space, error_code& ec) {
    std::size_t got = 0;
    bool received = false;
    ec = {};
    while (got < space.size() && !ec) {
        ERR_clear_error();
        const auto room = std::min<std::size_t>(space.size() - got, INT_MAX);
        const int size = SSL_read(ssl_.get(), space.data() + got, static_cast<int>(room));
        if (size > 0) {
            got += static_cast<std::size_t>(size);
            continue;
        }
        ec = failure(size);
        if (would_block(ec) && !received) {
            ec = receive(space.size() - got);
            received = true;
        }
    }
    keep_input();
    const auto shipped = ship();  // answers to key updates, alerts
    if (would_block(ec))
        ec = shipped;
    if (got > 0 && ec) {  // comes again with the next call
        more_ = true;
        ec = {};
    }
    return got;
}

Task<std::tuple<error_code, std::size_t>> TlsStream::read_some(std::span<std::uint8_t> space) {
    std::size_t got = 0;
    error_code ec;
    while (got == 0 && !ec) {
        auto waiting = wait_input();
        ec = co_await std::move(waiting);
        if (!ec)
            got = read(space, ec);
    }
    co_return std::make_tuple(ec, got);
}

Task<error_code> TlsStream::write(std::string_view bytes) {
    while (true) {
        auto flushing = flush();
        const auto flushed = co_await std::move(flushing);
        if (flushed || bytes.empty())
            co_return flushed;
        const auto part = bytes.substr(0, write_bytes);
        ERR_clear_error();
        const int size = SSL_write(ssl_.get(), part.data(), static_cast<int>(part.size()));
        if (size <= 0)
            co_return failure(size);
        bytes.remove_prefix(static_cast<std::size_t>(size));
        if (const auto ec = ship())
            co_return ec;
    }
}

}  // namespace amoskys::io
