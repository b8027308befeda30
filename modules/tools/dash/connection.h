// One browser's TCP connection, with or without TLS. Holds no buffers while it waits. On the io
// thread only; lives until its tasks have ended.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>

#include "core/io/tls_stream.h"

namespace amoskys::modules::dash {

class Connection {
  public:
    using ErrorCode = boost::system::error_code;
    Connection(io::asio::ip::tcp::socket socket, io::TlsContext tls);  // tls null: plain

    io::Task<ErrorCode> start();                 // the TLS handshake, where there is one
    io::Task<ErrorCode> read(std::string& out);  // appends at least one byte, or an error
    io::Task<ErrorCode> write(std::string_view bytes);
    // After the last answer: our end is closed, the peer's is read for a second, so that it sees
    // the answer and not a reset.
    io::Task<> linger();
    void close();
    std::string peer() const;
    std::string client_cn() const;  // "" = no client certificate

  private:
    io::asio::ip::tcp::socket socket_;    // plain
    std::unique_ptr<io::TlsStream> tls_;  // or this
};

}  // namespace amoskys::modules::dash
