// A TLS connection over TCP, either side. Used by link (bus and agents); contexts: tls_context.h.
//
// Memory: an idle connection holds no buffers. Encrypted bytes pass through two buffers of the
// thread; a connection keeps only what could not be used yet: part of a record, records that the
// kernel did not take (at most 64 KiB of plaintext and its records). asio::ssl::stream would keep
// 68 KB each.
//
// One task may read while another writes. Nothing here limits time: close() from a Deadline ends
// what waits with operation_aborted. On the io thread only; lives until its tasks have ended.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <span>
#include <string_view>

#include "core/base/bytes.h"
#include "core/io/task.h"
#include "core/io/tls_context.h"

namespace amoskys::io {

// Errors of TLS itself have asio::error::get_ssl_category() and BoringSSL's packed value.
class TlsStream {
  public:
    using ErrorCode = boost::system::error_code;
    enum class Side { client, server };

    TlsStream(asio::ip::tcp::socket socket, TlsContext context);
    ~TlsStream();
    TlsStream(const TlsStream&) = delete;
    TlsStream& operator=(const TlsStream&) = delete;

    Task<ErrorCode> handshake(Side side);

    // Until read() may have something: a reader needs no buffer before. Lets other tasks run, too.
    Task<ErrorCode> wait_input();
    // What is there, without waiting; 0 and no error: no whole record yet. eof: the peer has ended
    // the connection (TLS close_notify or TCP FIN; frames tell a cut one).
    std::size_t read(std::span<std::uint8_t> space, ErrorCode& ec);
    // The two above, until at least one byte came.
    Task<std::tuple<ErrorCode, std::size_t>> read_some(std::span<std::uint8_t> space);

    Task<ErrorCode> write(std::string_view bytes);  // all of it, in full records

    void shutdown_send();  // close_notify where the kernel takes it, then FIN
    void close();
    bool is_open() const { return socket_.is_open(); }
    asio::ip::tcp::socket& socket() { return socket_; }
    SSL* native_handle() { return ssl_.get(); }
    std::size_t held_bytes() const { return carry_.capacity() + pending_.capacity(); }

  private:
    friend struct TlsBio;
    struct FreeSsl {
        void operator()(SSL* ssl) const;
    };
    struct Staging;
    static Staging& staging();

    ErrorCode receive(std::size_t at_most);  // from the kernel to input_
    ErrorCode ship();                        // what the last operation wrote, to the kernel
    Task<ErrorCode> flush();
    ErrorCode failure(int result);
    void keep_input();

    asio::ip::tcp::socket socket_;
    TlsContext context_;
    std::unique_ptr<SSL, FreeSsl> ssl_;
    ByteView input_;     // encrypted, not yet taken; in the thread's buffer or in carry_
    Bytes carry_;        // the same between calls
    Bytes pending_;      // encrypted, to be sent
    bool more_ = false;  // the kernel probably has more
};

}  // namespace amoskys::io
