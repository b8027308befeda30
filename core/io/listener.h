// A TCP acceptor that stays alive: shared by the HTTP server and the bus.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <string>

#include "core/io/runtime.h"

namespace amoskys::io {

class Listener {
  public:
    explicit Listener(asio::io_context& io) : acceptor_(io) {}
    // Numeric hosts and localhost (127.0.0.1). unavailable "address_in_use", permission, usage
    // "listen_address_invalid". Returns the address with the port that it got.
    Result<std::string> open(const Endpoint& endpoint);
    // The next connection; an error only once closed or cancelled. Where descriptors or memory run
    // out it logs, waits 100 ms and goes on.
    Task<Result<asio::ip::tcp::socket>> accept();
    void close();
    std::uint64_t pauses() const { return pauses_; }  // times that it had to wait so

  private:
    asio::ip::tcp::acceptor acceptor_;
    std::uint64_t pauses_ = 0;
};

}  // namespace amoskys::io
