#include "modules/tools/dash/server.h"

#include <set>

#include "core/io/listener.h"
#include "modules/tools/dash/connection.h"

namespace amoskys::modules::dash {
namespace {

constexpr auto handshake_time = std::chrono::seconds(5);
constexpr auto request_time = std::chrono::seconds(15);
constexpr auto answer_time = std::chrono::seconds(30);
constexpr auto quiet_time = std::chrono::seconds(15);  // of a stream, before a comment

}  // namespace

struct Server::Impl {
    Impl(io::asio::io_context& io_, Site& site_, std::size_t max)
        : io(io_), site(site_), max_connections(max), listener(io_), group(io_) {}

    static io::Task<Result<>> serve(std::shared_ptr<Impl> impl, io::asio::ip::tcp::socket socket);
    io::Task<> talk(Connection& connection);
    io::Task<bool> next_request(Connection& connection, RequestReader& reader);
    io::Task<bool> send(Connection& connection, std::string bytes);
    io::Task<> stream(Connection& connection, const Request& request);

    io::asio::io_context& io;
    Site& site;
    const std::size_t max_connections;
    io::TlsContext tls;
    io::Listener listener;
    io::TaskGroup group;
    std::set<Connection*> connections;
};

io::Task<bool> Server::Impl::send(Connection& connection, std::string bytes) {
    const io::Deadline deadline(io, answer_time, [&connection] { connection.close(); });
    auto writing = connection.write(bytes);
    const auto ec = co_await std::move(writing);
    co_return !ec;
}

// False: refused, answered and to be closed, or the peer has gone.
io::Task<bool> Server::Impl::next_request(Connection& connection, RequestReader& reader) {
    auto state = reader.feed({});
    {
        const io::Deadline deadline(io, request_time, [&connection] { connection.close(); });
        std::string bytes;
        while (state == RequestReader::State::more) {
            bytes.clear();
            auto reading = connection.read(bytes);
            const auto ec = co_await std::move(reading);
            if (ec)
                co_return false;
            state = reader.feed(bytes);
        }
    }
    if (state == RequestReader::State::whole)
        co_return true;
    auto sending = send(connection, to_wire({}, reader.refusal(), false));
    const bool sent = co_await std::move(sending);
    if (sent) {
        auto lingering = connection.linger();
        co_await std::move(lingering);
    }
    co_return false;
}

io::Task<> Server::Impl::stream(Connection& connection, const Request& request) {
    const auto browser = site.open_stream(request);
    while (browser && site.may_stream(request)) {
        if (browser->queue.empty()) {
            auto waiting = browser->wake.wait_for(quiet_time);
            const bool woken = co_await std::move(waiting);
            if (!woken)
                break;
        }
        auto sending = send(
            connection, browser->queue.empty() ? std::string(sse_comment) : browser->queue.take());
        const bool sent = co_await std::move(sending);
        if (!sent)
            break;
    }
}

io::Task<> Server::Impl::talk(Connection& connection) {
    {
        const io::Deadline deadline(io, handshake_time, [&connection] { connection.close(); });
        auto starting = connection.start();
        const auto ec = co_await std::move(starting);
        if (ec)
            co_return;
    }
    const std::string peer = connection.peer(), client_cn = connection.client_cn();
    RequestReader reader;
    bool open = true;
    while (open) {
        auto waiting = next_request(connection, reader);
        const bool whole = co_await std::move(waiting);
        if (!whole)
            co_return;
        Request request = reader.take();
        request.peer = peer;
        request.client_cn = client_cn;
        auto responding = site.respond(request);
        Response response = co_await std::move(responding);
        const bool streams = response.stream;
        open = request.keep_alive && !streams;
        auto sending = send(connection, to_wire(request, std::move(response), open));
        const bool sent = co_await std::move(sending);
        if (!sent)
            co_return;
        if (streams) {
            auto streaming = stream(connection, request);
            co_await std::move(streaming);
        }
    }
    auto lingering = connection.linger();
    co_await std::move(lingering);
}

io::Task<Result<>> Server::Impl::serve(std::shared_ptr<Impl> impl,
                                       io::asio::ip::tcp::socket socket) {
    Connection connection(std::move(socket), impl->tls);
    impl->connections.insert(&connection);
    auto talking = impl->talk(connection);
    co_await std::move(talking);
    impl->connections.erase(&connection);
    connection.close();
    impl->site.connections(impl->connections.size(), false);
    co_return Result<>();
}

Server::Server(io::asio::io_context& io, Site& site, std::size_t max_connections)
    : impl_(std::make_shared<Impl>(io, site, max_connections)) {}
Server::~Server() = default;

void Server::set_tls(io::TlsContext tls) {
    impl_->tls = std::move(tls);
}

Result<std::string> Server::listen(const io::Endpoint& endpoint) {
    return impl_->listener.open(endpoint);
}

io::Task<Result<>> Server::run() {
    auto impl = impl_;
    while (true) {
        auto accepting = impl->listener.accept();
        auto accepted = co_await std::move(accepting);
        if (!accepted)
            break;
        const bool full = impl->connections.size() >= impl->max_connections;
        if (!full) {
            auto task = Impl::serve(impl, std::move(*accepted));
            impl->group.spawn("dash connection", std::move(task));
        }
        impl->site.connections(impl->connections.size(), full);
    }
    impl->listener.close();
    for (Connection* connection : impl->connections)
        connection->close();
    auto joining = impl->group.join();
    auto joined = co_await std::move(joining);
    co_return joined;
}

}  // namespace amoskys::modules::dash
