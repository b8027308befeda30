// The HTTP shell: accepts, reads requests, writes what the site answers. Everything that decides is
// in site.h and behind it. On the io thread only.
//
// Limits: a TLS handshake in 5 s, a request in 15 s from the end of the answer before it, an answer
// taken in 30 s, connections in all by `max_connections`; beyond them new ones are closed at once.
#pragma once

#include <memory>
#include <string>

#include "core/io/runtime.h"
#include "core/io/tls_context.h"
#include "modules/tools/dash/message.h"
#include "modules/tools/dash/stream.h"

namespace amoskys::modules::dash {

// A browser that follows the stream.
struct Browser {
    explicit Browser(io::asio::io_context& io) : wake(io) {}
    BrowserQueue queue;
    io::Event wake;
};

class Site {
  public:
    virtual ~Site() = default;
    virtual io::Task<Response> respond(Request request) = 0;
    // For a Response with `stream`: null where no further one is taken.
    virtual std::shared_ptr<Browser> open_stream(const Request& request) = 0;
    // Whether the caller may still follow it: asked with every message.
    virtual bool may_stream(const Request& request) = 0;
    virtual void connections(std::size_t open, bool refused) = 0;  // for metrics
};

class Server {
  public:
    Server(io::asio::io_context& io, Site& site, std::size_t max_connections);
    ~Server();
    void set_tls(io::TlsContext tls);  // of connections from now on; null: plain
    Result<std::string> listen(const io::Endpoint& endpoint);
    io::Task<Result<>> run();  // until cancelled

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace amoskys::modules::dash
