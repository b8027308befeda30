#include "core/io/listener.h"

#include <cerrno>

#include "core/base/text.h"
#include "core/log/log.h"

namespace amoskys::io {
namespace {

Error listen_error(const Endpoint& endpoint, const boost::system::error_code& ec) {
    const auto where = "cannot listen on " + format_endpoint(endpoint.host, endpoint.port) + ": ";
    if (ec == asio::error::address_in_use)
        return make_error(ErrorKind::unavailable, "address_in_use",
                          where + "another process has it", "stop it, or choose another port");
    if (ec == asio::error::access_denied)
        return make_error(ErrorKind::permission, "listen_denied", where + ec.message(),
                          "ports below 1024 need CAP_NET_BIND_SERVICE");
    return make_error(ErrorKind::unavailable, "listen_failed", where + ec.message());
}

bool out_of_resources(const boost::system::error_code& ec) {
    return ec.value() == EMFILE || ec.value() == ENFILE || ec.value() == ENOBUFS ||
           ec.value() == ENOMEM;
}

}  // namespace

Result<std::string> Listener::open(const Endpoint& endpoint) {
    boost::system::error_code ec;
    const auto host = endpoint.host == "localhost" ? std::string("127.0.0.1") : endpoint.host;
    const auto address = asio::ip::make_address(host, ec);
    if (ec)
        return make_error(ErrorKind::usage, "listen_address_invalid",
                          "cannot listen on \"" + printable(endpoint.host) +
                              "\": not an address; allowed: an IPv4 or IPv6 address, localhost");
    const asio::ip::tcp::endpoint at(address, endpoint.port);
    acceptor_.open(at.protocol(), ec);
    if (!ec)
        acceptor_.set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec)
        acceptor_.bind(at, ec);
    if (!ec)
        acceptor_.listen(asio::socket_base::max_listen_connections, ec);
    const auto got = ec ? at : acceptor_.local_endpoint(ec);
    if (ec) {
        close();
        return listen_error(endpoint, ec);
    }
    return format_endpoint(got.address().to_string(), got.port());
}

Task<Result<asio::ip::tcp::socket>> Listener::accept() {
    while (true) {
        auto [ec, socket] = co_await acceptor_.async_accept(use_tuple);
        const bool stop = co_await cancelled();
        if (!ec && !stop)
            co_return std::move(socket);
        if (stop || !acceptor_.is_open())
            co_return make_error(ErrorKind::interrupted, "listener_closed",
                                 "the listener was closed");
        if (!out_of_resources(ec))
            continue;  // the peer went away meanwhile
        ++pauses_;
        if (log::allow("accept"))
            log::warning("io", "accept_paused", "cannot accept connections",
                         {{"error", ec.message()}});
        const bool slept = co_await sleep_for(std::chrono::milliseconds(100));
        if (!slept)
            co_return make_error(ErrorKind::interrupted, "listener_closed",
                                 "the listener was closed");
    }
}

void Listener::close() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
}

}  // namespace amoskys::io
