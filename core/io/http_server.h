// A small HTTP/1.1 server for /livez /readyz /healthz /metrics (and the pages of later modules).
// Handlers are functions from request to response on the io thread. GET and HEAD only. Limits:
// requests over 16 KiB -> 431, other methods -> 405, unknown paths -> 404; a connection that is
// slow or idle for 5 s is closed; beyond 64 connections new ones are closed at once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/io/runtime.h"

namespace amoskys::io {

struct HttpRequest {
    std::string method, path, query, accept;
};
struct HttpResponse {
    unsigned status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body;
};
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

class HttpServer {
  public:
    HttpServer(asio::io_context& io, std::map<std::string, HttpHandler> handlers);
    ~HttpServer();
    // unavailable "address_in_use" and the like. Returns the address with the port that it got.
    Result<std::string> listen(const Endpoint& endpoint);
    Task<Result<>> run();  // until cancelled

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace amoskys::io
