// One connection of the bus: handshake, read loop, write loop, and the way of its writes to the log
// and back.
#include <boost/asio/post.hpp>

#include "core/link/audit.h"
#include "core/link/server_impl.h"
#include "core/log/log.h"

namespace amoskys::link {
namespace {

namespace asio = io::asio;
using namespace std::chrono_literals;

// How long a closed session's peer may take to read the last frames and to close its side.
constexpr auto linger = 1s;
// What has to leave within the time of a stalled write.
constexpr std::size_t write_bytes = 64 * 1024;

bool worth_an_audit(std::string_view reason) {
    return reason != "closed" && reason != "timeout" && reason != "not_tls" && reason != "other";
}

}  // namespace

void Server::Impl::handshake_failed(const Connection& connection, std::string_view reason) {
    bus.metrics.connection_refused(reason);
    const auto& peer = connection->host;
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
    auto& stream = connection->stream;
    io::Deadline deadline(io, bus.limits.handshake, [connection] { connection->stream.close(); });
    auto shaking = stream.handshake(io::TlsStream::Side::server);
    const auto ec = co_await std::move(shaking);
    if (deadline.expired())
        handshake_failed(connection, "timeout");
    else if (ec)
        handshake_failed(connection, io::handshake_reason(ec, stream.native_handle()));
    else if (!io::agreed_on_protocol(stream.native_handle()))
        handshake_failed(connection, "alpn");
    else
        co_return true;
    co_return false;
}

void Server::Impl::leave_gate(ServerConnection& connection) {
    if (!std::exchange(connection.at_the_gate, false))
        return;
    --all_at_the_gate;
    auto& here = at_the_gate[connection.host];
    here.erase(connection.id);
    if (here.empty())
        at_the_gate.erase(connection.host);
}

void Server::Impl::take_frames(ServerConnection& connection) {
    auto& session = *connection.session;
    auto& reader = connection.reader;
    while (!session.closing()) {
        auto body = reader.next();
        if (!body) {
            session.on_framing_error(body.error());
            break;
        }
        if (!*body)
            break;
        connection.frame_began.reset();
        on_frame(connection, **body);
    }
    if (session.closing())
        reader = wire::FrameReader();
    if (!reader.mid_frame())
        connection.frame_began.reset();
    else if (!connection.frame_began)
        connection.frame_began = clock.steady();
    if (session.identified())
        leave_gate(connection);
}

// One read and what came of it; false where the connection has ended.
io::Task<bool> Server::Impl::read_once(Connection connection) {
    auto waiting = connection->stream.wait_input();
    const auto waited = co_await std::move(waiting);
    if (waited)
        co_return false;
    boost::system::error_code ec;
    const auto size = connection->stream.read(connection->reader.prepare(), ec);
    if (ec)
        co_return false;
    // What a closed session's peer still sends is read away, so that our last frames arrive.
    if (size == 0 || connection->session->closing())
        co_return true;
    connection->reader.commit(size);
    take_frames(*connection);
    pump(connection);
    co_return true;
}

io::Task<Result<>> Server::Impl::serve(std::shared_ptr<Impl> impl, Connection connection) {
    auto shaking = impl->handshake(connection);
    const bool ok = co_await std::move(shaking);
    if (!ok || impl->stopping) {
        connection->stream.close();
        connection->reader_ended = connection->writer_ended = true;
        impl->forget(connection);
        co_return Result<>();
    }
    PeerFacts peer{io::peer_common_name(connection->stream.native_handle()), connection->address};
    ++impl->bus.open_sessions;
    connection->session =
        std::make_unique<ServerSession>(impl->bus, connection->id, std::move(peer));
    impl->group.spawn("bus session writer", write_output(impl, connection));
    auto& session = *connection->session;
    bool open = true;
    while (open) {
        auto reading = impl->read_once(connection);
        open = co_await std::move(reading);
        while (open && !session.closing() &&
               (!session.wants_input() || connection->waiting_bytes >= max_waiting_bytes)) {
            const bool going = co_await connection->output_taken.wait_for(100ms);
            open = going && connection->stream.is_open();
            if (connection->frame_began)  // it was not read
                connection->frame_began = impl->clock.steady();
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

// False where the peer is gone or does not read.
io::Task<bool> Server::Impl::write_all(Connection connection, std::string_view out) {
    while (!out.empty()) {
        io::Deadline deadline(io, bus.limits.stalled_write,
                              [connection] { connection->stream.close(); });
        auto writing = connection->stream.write(out.substr(0, write_bytes));
        const auto ec = co_await std::move(writing);
        if (deadline.expired()) {
            bus.metrics.connection_refused("stalled_write");
            connection->session->stalled();
        }
        if (ec)
            co_return false;
        out.remove_prefix(std::min(out.size(), write_bytes));
    }
    co_return true;
}

io::Task<Result<>> Server::Impl::write_output(std::shared_ptr<Impl> impl, Connection connection) {
    auto& session = *connection->session;
    bool going = true;
    while (going && !connection->reader_ended) {
        if (session.has_output()) {
            const auto out = session.take_output();
            connection->output_taken.notify();
            impl->pump_read(connection);
            auto writing = impl->write_all(connection, out);
            going = co_await std::move(writing);
            continue;
        }
        if (session.closing())
            break;
        going = co_await connection->output_ready.wait();
    }
    if (!connection->reader_ended) {
        connection->stream.shutdown_send();
        io::Deadline deadline(impl->io, linger, [connection] { connection->stream.close(); });
        going = true;
        while (going && !connection->reader_ended)
            going = co_await connection->output_ready.wait_for(linger * 2);
    }
    connection->stream.close();
    connection->writer_ended = true;
    impl->forget(connection);
    co_return Result<>();
}

void Server::Impl::forget(const Connection& connection) {
    if (!connection->reader_ended || !connection->writer_ended)
        return;
    if (connections.erase(connection->id) == 0)
        return;
    leave_gate(*connection);
    if (connection->session)
        --bus.open_sessions;
    changed.notify();
}

// In the order of their coming, whatever of them is inspected by other threads first.
void Server::Impl::on_frame(ServerConnection& connection, ByteView body) {
    auto& session = *connection.session;
    auto inspection = inspections.empty() ? nullptr : session.prepare(body);
    if (!inspection && connection.waiting.empty())
        return session.on_frame(body);
    WaitingFrame frame{inspection, {}, body.size()};
    if (!inspection)
        frame.body = as_text(body);
    connection.waiting_bytes += frame.size_bytes;
    connection.waiting.push_back(std::move(frame));
    if (inspection)
        inspect(connection, std::move(inspection));
}

void Server::Impl::inspect(const ServerConnection& connection,
                           std::shared_ptr<Inspection> inspection) {
    auto done = [weak = weak_from_this(), told = connection.told, id = connection.id, &to = io] {
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
    pump_read(connection);
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
