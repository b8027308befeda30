// One connection of the bus: handshake, read loop, write loop, and the way of its writes to the log
// and back.
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include "core/link/audit.h"
#include "core/link/server_impl.h"
#include "core/log/log.h"

namespace amoskys::link {
namespace {

namespace asio = io::asio;
using namespace std::chrono_literals;

// How long a closed session's peer may take to read the last frames and to close its side.
constexpr auto linger = 1s;

std::string address_only(const std::string& endpoint) {
    return endpoint.substr(0, endpoint.rfind(':'));
}

bool worth_an_audit(std::string_view reason) {
    return reason != "closed" && reason != "timeout" && reason != "not_tls" && reason != "other";
}

}  // namespace

void Server::Impl::handshake_failed(const Connection& connection, std::string_view reason) {
    bus.metrics.connection_refused(reason);
    const auto peer = address_only(connection->address);
    if (!log::allow("handshake " + peer))
        return;
    log::warning("bus", "handshake_failed", "TLS handshake failed",
                 {{"peer", connection->address}, {"reason", std::string(reason)}});
    if (!worth_an_audit(reason))
        return;
    bus.audit(audit_record({.category = "identity",
                            .action = "refused",
                            .object_type = "connection",
                            .object_id = connection->address,
                            .actor_id = peer,
                            .session_id = {},
                            .before = {},
                            .after = {},
                            .reason = std::string(reason)},
                           clock.now_ns()));
}

io::Task<bool> Server::Impl::handshake(Connection connection) {
    io::Deadline deadline(io, bus.limits.handshake, [connection] { connection->close_socket(); });
    auto [ec] = co_await connection->stream.async_handshake(ServerConnection::Stream::server,
                                                            io::use_tuple);
    const auto address = address_only(connection->address);
    const auto host = address.starts_with('[') ? address.substr(1, address.size() - 2) : address;
    if (--unauthenticated[host] == 0)
        unauthenticated.erase(host);
    auto* ssl = connection->stream.native_handle();
    if (deadline.expired())
        handshake_failed(connection, "timeout");
    else if (ec)
        handshake_failed(connection, io::handshake_reason(ec, ssl));
    else if (!io::agreed_on_protocol(ssl))
        handshake_failed(connection, "alpn");
    else
        co_return true;
    co_return false;
}

// One read and what came of it; false where the connection has ended.
io::Task<bool> Server::Impl::read_once(Connection connection, wire::FrameReader* reader) {
    auto& session = *connection->session;
    const auto space = reader->prepare();
    const auto buffer = asio::buffer(space.data(), space.size());
    auto [ec, size] = co_await connection->stream.async_read_some(buffer, io::use_tuple);
    if (ec)
        co_return false;
    if (session.closing())
        co_return true;  // read away, so that our last frames arrive
    reader->commit(size);
    while (!session.closing()) {
        auto body = reader->next();
        if (!body) {
            session.on_framing_error(body.error());
            break;
        }
        if (!*body)
            break;
        on_frame(connection, **body);
    }
    if (session.closing())
        *reader = wire::FrameReader();
    reader->release_if_empty();
    pump(connection);
    co_return true;
}

io::Task<Result<>> Server::Impl::serve(std::shared_ptr<Impl> impl, Connection connection) {
    auto shaking = impl->handshake(connection);
    const bool ok = co_await std::move(shaking);
    if (!ok || impl->stopping) {
        connection->close_socket();
        connection->reader_ended = connection->writer_ended = true;
        impl->forget(connection);
        co_return Result<>();
    }
    PeerFacts peer{io::peer_common_name(connection->stream.native_handle()), connection->address};
    ++impl->bus.open_sessions;
    connection->session =
        std::make_unique<ServerSession>(impl->bus, connection->id, std::move(peer));
    impl->group.spawn("bus session writer", write_output(impl, connection));
    wire::FrameReader reader;
    auto& session = *connection->session;
    bool open = true;
    while (open) {
        auto reading = impl->read_once(connection, &reader);
        open = co_await std::move(reading);
        while (open && !session.closing() &&
               (!session.wants_input() || connection->waiting_bytes >= max_waiting_bytes)) {
            const bool going = co_await connection->output_taken.wait_for(100ms);
            open = going && connection->stream.lowest_layer().is_open();
        }
    }
    session.disconnected("the connection ended");
    log::info("bus", "session_closed", session.close_reason(),
              {{"peer", connection->address}, {"cn", session.agent_id()}});
    connection->reader_ended = true;
    connection->output_ready.notify();
    impl->forget(connection);
    co_return Result<>();
}

io::Task<Result<>> Server::Impl::write_output(std::shared_ptr<Impl> impl, Connection connection) {
    auto& session = *connection->session;
    std::string out;
    while (!connection->reader_ended) {
        out = session.take_output();
        if (!out.empty()) {
            connection->output_taken.notify();
            io::Deadline deadline(impl->io, impl->bus.limits.stalled_write,
                                  [connection] { connection->close_socket(); });
            const auto buffer = asio::buffer(out);
            auto [ec, size] = co_await asio::async_write(connection->stream, buffer, io::use_tuple);
            if (deadline.expired()) {
                impl->bus.metrics.connection_refused("stalled_write");
                session.disconnected("the peer does not read");
            }
            if (ec)
                break;
            continue;
        }
        if (session.closing())
            break;
        const bool going = co_await connection->output_ready.wait();
        if (!going)
            break;
    }
    if (!connection->reader_ended) {
        boost::system::error_code ignored;
        connection->stream.lowest_layer().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
        io::Deadline deadline(impl->io, linger, [connection] { connection->close_socket(); });
        while (!connection->reader_ended) {
            const bool going = co_await connection->output_ready.wait_for(linger * 2);
            if (!going)
                break;
        }
    }
    connection->close_socket();
    connection->writer_ended = true;
    impl->forget(connection);
    co_return Result<>();
}

void Server::Impl::forget(const Connection& connection) {
    if (!connection->reader_ended || !connection->writer_ended)
        return;
    if (connections.erase(connection->id) == 0)
        return;
    if (connection->session)
        --bus.open_sessions;
    changed.notify();
}

// In the order of their coming, whatever of them is inspected by other threads first.
void Server::Impl::on_frame(const Connection& connection, ByteView body) {
    auto& session = *connection->session;
    auto inspection = inspections.empty() ? nullptr : session.prepare(body);
    if (!inspection && connection->waiting.empty())
        return session.on_frame(body);
    WaitingFrame frame{inspection, {}, body.size()};
    if (!inspection)
        frame.body = as_text(body);
    connection->waiting_bytes += frame.size_bytes;
    connection->waiting.push_back(std::move(frame));
    if (inspection)
        inspect(connection, std::move(inspection));
}

void Server::Impl::inspect(const Connection& connection, std::shared_ptr<Inspection> inspection) {
    auto done = [weak = weak_from_this(), told = connection->told, id = connection->id, &to = io] {
        if (told->exchange(true))
            return;
        asio::post(to, [weak, told, id] {
            told->store(false);
            if (const auto impl = weak.lock())
                impl->take_inspected(id);
        });
    };
    inspections.submit(std::move(inspection), std::move(done));
}

void Server::Impl::take_inspected(std::uint64_t id) {
    const auto found = connections.find(id);
    if (found == connections.end())
        return;
    const auto connection = found->second;
    auto& session = *connection->session;
    auto& waiting = connection->waiting;
    while (!waiting.empty()) {
        auto& next = waiting.front();
        if (next.inspection && !next.inspection->done.load(std::memory_order_acquire))
            break;
        if (next.inspection)
            session.on_inspected(*next.inspection);
        else
            session.on_frame(as_bytes(next.body));
        connection->waiting_bytes -= next.size_bytes;
        waiting.pop_front();
    }
    connection->output_taken.notify();
    pump(connection);
}

// Whatever a session wants after something has happened to it.
void Server::Impl::pump(const Connection& connection) {
    auto& session = *connection->session;
    session.flush();
    if (auto write = session.take_write())
        submit(connection, std::move(*write));
    if (session.has_output() || session.closing())
        connection->output_ready.notify();
}

void Server::Impl::submit(const Connection& connection, wal::WriteRequest write) {
    // On the writer's thread; the outcome is handled here, on the io thread.
    write.done = [impl = shared_from_this(), connection](const Result<wal::Appended>& result) {
        asio::post(impl->io, [impl, connection, result] {
            --impl->writes_in_flight;
            impl->bus.log_trouble = result ? std::string() : result.error().message;
            connection->session->on_committed(result);
            impl->pump(connection);
            impl->feed_starving();
            impl->changed.notify();
        });
    };
    ++writes_in_flight;
    if (writer.submit(std::move(write)))
        return;
    --writes_in_flight;
    connection->session->on_write_refused();
    if (connection->session->has_output())
        connection->output_ready.notify();
}

void Server::Impl::feed_starving() {
    const auto waiting = bus.starving;
    for (const auto id : waiting) {
        const auto found = connections.find(id);
        if (found == connections.end())
            continue;
        found->second->session->offer_credit();
        if (found->second->session->has_output())
            found->second->output_ready.notify();
    }
}

}  // namespace amoskys::link
