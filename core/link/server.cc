#include "core/link/server.h"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include "core/link/audit.h"
#include "core/link/server_impl.h"
#include "core/log/log.h"

namespace amoskys::link {
namespace {

namespace asio = io::asio;
using namespace std::chrono_literals;

constexpr auto tick_interval = 1s;
// Overload begins when this much waits for the log, and ends below the lower mark.
constexpr std::uint64_t overload_begin_bytes = 48ULL << 20, overload_end_bytes = 16ULL << 20;
constexpr auto overload_hint = 500ms;

std::string_view overload_name(bool on) {
    return on ? "on" : "off";
}

}  // namespace

Server::Impl::Impl(asio::io_context& io_, const Clock& clock_, metrics::Registry& registry,
                   wal::Log& log_, wal::Writer& writer_, ServerConfig config_)
    : io(io_),
      clock(clock_),
      log(log_),
      writer(writer_),
      config(std::move(config_)),
      bus(clock_, log_, ServerMetrics(registry), config.limits),
      gauges(registry),
      listener(io_),
      group(io_),
      changed(io_),
      inspections(InspectionPool::threads_of_this_machine()) {
    last_tick = clock.steady();
    bus.log_origin = config.log_origin;
    bus.version = config.version;
}

Server::Server(asio::io_context& io, const Clock& clock, metrics::Registry& registry, wal::Log& log,
               wal::Writer& writer, ServerConfig config)
    : impl_(std::make_shared<Impl>(io, clock, registry, log, writer, std::move(config))) {
    auto* impl = impl_.get();
    impl->bus.evict = [impl](std::uint64_t id, const std::string& reason) {
        const auto found = impl->connections.find(id);
        if (found == impl->connections.end() || !found->second->session)
            return;
        found->second->session->evict(reason);
        impl->pump(found->second);
    };
    impl->bus.wake = [impl](std::uint64_t id) {
        const auto found = impl->connections.find(id);
        if (found != impl->connections.end())
            impl->pump(found->second);
    };
    impl->watch_tail();
}

Server::~Server() {
    impl_->writer.on_commit([](double, std::size_t) {});
}

const BusState& Server::state() const {
    return impl_->bus;
}

std::string Server::trouble() const {
    if (impl_->stopping)
        return "the bus is stopping";
    if (!impl_->bus.log_trouble.empty())
        return impl_->bus.log_trouble;
    return impl_->bus.admission ? impl_->bus.admission->reason : std::string();
}

std::string Server::degradation() const {
    const auto ranges = impl_->log.damages().size();
    std::string why;
    if (ranges != 0)
        why = std::to_string(ranges) + " damaged range" + (ranges == 1 ? "" : "s") +
              " of the log; `amoskys inspect gaps` names what is lost";
    if (const std::string rivals = impl_->bus.rivals.describe(); !rivals.empty())
        why += (why.empty() ? "" : "; ") + rivals;
    return why.empty() ? why : "degraded: " + why;
}

void Server::Impl::settle_rivals() {
    for (const LaneKey& lane : bus.rivals.settle(clock.steady())) {
        log::info("bus", "identity_conflict_over",
                  "for a minute nobody has taken the lane from another",
                  {{"cn", lane.agent_id}, {"lane", lane.lane}});
        bus.audit(audit_record({.category = "identity",
                                .action = "conflict_over",
                                .object_type = "lane",
                                .object_id = lane.agent_id + "/" + lane.lane,
                                .actor_id = "bus",
                                .session_id = {},
                                .before = {},
                                .after = {},
                                .reason = {}},
                               clock.now_ns()));
    }
    gauges.identity_conflicts.set(static_cast<double>(bus.rivals.conflicts().size()));
}

Result<> Server::Impl::read_files(const ServerConfig& from) {
    AMOSKYS_TRY(new_context, io::make_server_context(from.tls));
    AMOSKYS_TRY(trust, crypto::TrustMap::load(from.trust_map));
    AMOSKYS_TRY(key, crypto::SigningKey::load(from.log_key));
    bus.metrics.certificate_end.set(
        static_cast<double>(io::certificate_not_after_ns(new_context.get())) / 1e9);
    context = std::move(new_context);
    bus.trust = std::move(trust);
    bus.log_key = std::make_shared<const crypto::SigningKey>(std::move(key));
    bus.limits = from.limits;
    return {};
}

Result<> Server::prepare() {
    AMOSKYS_TRY_VOID(impl_->read_files(impl_->config));
    AMOSKYS_TRY_VOID(impl_->bus.load());
    AMOSKYS_TRY_VOID(impl_->journal.load(impl_->log));
    impl_->update_gauges();
    return {};
}

Result<std::string> Server::listen() {
    return impl_->listener.open(impl_->config.listen);
}

Result<> Server::reload(ServerConfig config) {
    const auto read = impl_->read_files(config);
    impl_->bus.metrics.reloaded(read.has_value());
    AMOSKYS_TRY_VOID(read);
    impl_->config = std::move(config);
    const auto connections = impl_->connections;
    for (const auto& [id, connection] : connections) {
        if (!connection->session)
            continue;
        connection->session->recheck_trust();
        impl_->pump(connection);
    }
    impl_->settle_trust();
    return {};
}

io::Task<Result<>> Server::run() {
    auto impl = impl_;
    impl->settle_trust();  // what it is when we begin: every later change is put on record
    impl->group.spawn("bus tick", impl->tick_all());
    auto accepting = impl->accept_all();
    auto accepted = co_await std::move(accepting);
    impl->listener.close();
    // From here on cancellation has done its work; what follows has its own time limits.
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
    auto stopping = impl->stop();
    auto stopped = co_await std::move(stopping);
    if (!accepted)
        co_return accepted;
    co_return stopped;
}

io::Task<Result<>> Server::Impl::accept_all() {
    while (true) {
        auto accepting = listener.accept();
        auto socket = co_await std::move(accepting);
        if (!socket)
            co_return Result<>();
        boost::system::error_code ec;
        const auto peer = socket->remote_endpoint(ec);
        if (ec)
            continue;
        auto host = peer.address().to_string();
        if (const auto reason = make_room_for(host); !reason.empty()) {
            bus.metrics.connection_refused(reason);
            if (log::allow("crowded"))
                log::warning("bus", "connection_refused", "too many connections",
                             {{"peer", host}, {"reason", std::string(reason)}});
            continue;  // closed by its destructor
        }
        bus.metrics.connections.add();
        socket->set_option(asio::ip::tcp::no_delay(true), ec);
        socket->set_option(asio::socket_base::keep_alive(true), ec);
        const auto id = next_id++;
        auto connection = std::make_shared<ServerConnection>(io, std::move(*socket), context, id,
                                                             std::move(host), peer.port());
        connections.emplace(id, connection);
        at_the_gate[connection->host].insert(id);
        ++all_at_the_gate;
        group.spawn("bus session", serve(shared_from_this(), connection));
    }
}

// Why one more connection of this address would be too many; empty = it is let in. At a full gate
// the oldest connection of the address that has most of them makes room: who floods pays.
std::string_view Server::Impl::make_room_for(const std::string& host) {
    if (connections.size() >= bus.limits.max_sessions)
        return "too_many_sessions";
    const auto own = at_the_gate.find(host);
    const std::size_t here = own == at_the_gate.end() ? 0 : own->second.size();
    if (here >= bus.limits.max_unauthenticated_per_address)
        return "too_many_handshakes";
    if (all_at_the_gate < bus.limits.max_unauthenticated)
        return "";
    const auto most = std::ranges::max_element(at_the_gate, {}, [](const auto& one) {
        return std::pair(one.second.size(), ~*one.second.begin());
    });
    if (here > 0 && most->second.size() <= here)
        return "too_many_unauthenticated";
    const auto oldest = connections.at(*most->second.begin());
    bus.metrics.connection_refused("crowded_out");
    leave_gate(*oldest);
    oldest->stream.close();
    return "";
}

io::Task<Result<>> Server::Impl::tick_all() {
    while (true) {
        const bool slept = co_await io::sleep_for(tick_interval);
        if (!slept)
            co_return Result<>();
        const auto current = connections;
        for (const auto& [id, connection] : current) {
            if (!connection->session)
                continue;
            connection->reader.release_if_empty();  // nothing has come for a while, or will soon
            const auto began = connection->frame_began;
            if (began && connection->session->wants_input() &&
                clock.steady() - *began >= bus.limits.frame)
                connection->session->on_slow_frame();
            connection->session->tick();
            pump(connection);
        }
        update_gauges();
        settle_rivals();
        feed_starving();
        write_audits();
        settle_trust();
        write_cursors();
    }
}

void Server::Impl::update_gauges() {
    const auto stats = log.stats();
    const auto writes = writer.stats();
    const auto now = clock.steady();
    const double seconds = std::chrono::duration<double>(now - last_tick).count();
    if (seconds > 0) {
        bus.events_per_second = static_cast<double>(bus.events_accepted - last_events) / seconds;
        last_events = bus.events_accepted;
        last_tick = now;
    }
    if (bus.trust)
        bus.heads.update(bus.metrics, bus.lanes, *bus.trust, clock.now_ns());
    update_session_gauges();
    bus.metrics.budget_used.set(static_cast<double>(bus.budget.used()));
    bus.metrics.load.set(bus.budget.load());
    gauges.queued_bytes.set(static_cast<double>(writes.queued_bytes));
    gauges.log_bytes.set(static_cast<double>(stats.file_bytes));
    gauges.log_records.set(static_cast<double>(stats.records));
    gauges.segments.set(static_cast<double>(stats.segments));
    gauges.damaged_segments.set(static_cast<double>(stats.damaged_segments));
    gauges.devices.set(static_cast<double>(bus.devices.active()));
    const auto unix_now = clock.now_ns();
    const auto oldest = stats.oldest_received_ns;
    gauges.oldest_seconds.set(
        oldest == 0 || oldest > unix_now ? 0 : static_cast<double>(unix_now - oldest) / 1e9);
    gauges.failed_commits.add(writes.failed_commits - failed_commits);
    failed_commits = writes.failed_commits;
    std::error_code ec;
    const auto space = std::filesystem::space(config.log_folder, ec);
    bus.free_bytes = ec ? 0 : space.available;
    bus.queued_bytes = writes.queued_bytes;
    gauges.free_bytes.set(static_cast<double>(bus.free_bytes));
    update_cursor_gauges(stats);
    update_admission(writes);
    gauges.healthy.set(bus.log_trouble.empty() ? 1 : 0);
    bus.metrics.overloaded.set(bus.admission ? 1 : 0);
}

void Server::Impl::update_session_gauges() {
    std::uint64_t unanswered = 0, window = 0;
    for (const auto& [id, connection] : connections) {
        if (!connection->session || connection->session->closing())
            continue;
        unanswered += connection->session->unanswered();
        window += connection->session->window();
    }
    bus.metrics.unanswered.set(static_cast<double>(unanswered));
    bus.metrics.window.set(static_cast<double>(window));
    bus.metrics.sessions.set(static_cast<double>(bus.open_sessions));
    bus.metrics.gate.set(static_cast<double>(all_at_the_gate));
    bus.metrics.accept_pauses.add(listener.pauses() - accept_pauses);
    accept_pauses = listener.pauses();
}

void Server::Impl::update_admission(const wal::WriterStats& stats) {
    const bool was = bus.admission.has_value();
    const auto& limits = bus.limits;
    const bool disk_low = bus.free_bytes < limits.min_free_bytes;
    const bool queue_full = stats.queued_bytes >= (was ? overload_end_bytes : overload_begin_bytes);
    bus.admission.reset();
    if (limits.overload == Overload::on) {
        bus.admission =
            Refusal{wire::Status::overload, "overload is switched on", "overload", overload_hint};
    } else if (disk_low) {
        bus.admission =
            Refusal{wire::Status::retry,
                    "disk almost full (" + std::to_string(bus.free_bytes) + " of at least " +
                        std::to_string(limits.min_free_bytes) + " bytes free)",
                    "disk_full", 2s};
    } else if (limits.overload == Overload::automatic && queue_full) {
        bus.admission =
            Refusal{wire::Status::overload,
                    "overload: " + std::to_string(stats.queued_bytes) + " bytes wait for the log",
                    "overload", overload_hint};
    }
    if (was == bus.admission.has_value())
        return;
    const std::string reason = bus.admission ? bus.admission->reason : "envelopes are taken again";
    log::warning("bus", "admission_changed", reason);
    bus.audit(audit_record({.category = "overload",
                            .action = "changed",
                            .object_type = "bus",
                            .object_id = config.log_origin,
                            .actor_id = "bus",
                            .session_id = {},
                            .before = std::string(overload_name(was)),
                            .after = std::string(overload_name(!was)),
                            .reason = reason},
                           clock.now_ns()));
}

// They stay until they are in the log: a full disk or queue passes.
void Server::Impl::write_audits() {
    if (bus.audits.empty() || audits_writing)
        return;
    wal::WriteRequest request;
    request.records = bus.audits;
    const auto count = request.records.size();
    auto on_io = [impl = shared_from_this(), count](bool written) {
        impl->audits_writing = false;
        --impl->writes_in_flight;
        if (written) {
            impl->bus.metrics.audits.add(count);
            auto& waiting = impl->bus.audits;
            waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(count));
        }
        impl->changed.notify();
    };
    request.done = [impl = shared_from_this(), on_io](const Result<wal::Appended>& result) {
        asio::post(impl->io, [on_io, written = result.has_value()] { on_io(written); });
    };
    audits_writing = true;
    ++writes_in_flight;
    if (writer.submit(std::move(request)))
        return;
    audits_writing = false;
    --writes_in_flight;
}

// Acks what is with the log, says DRAIN, and waits for the clients to go.
io::Task<Result<>> Server::Impl::stop() {
    stopping = true;
    const auto begun = clock.steady();
    const auto count = connections.size();
    const auto current = connections;
    for (const auto& [id, connection] : current) {
        if (!connection->session) {
            connection->stream.close();
            continue;
        }
        connection->session->drain("the bus is stopping");
        pump(connection);
    }
    while (!connections.empty() && clock.steady() - begun < bus.limits.drain)
        co_await changed.wait_for(50ms);
    for (const auto& [id, connection] : connections)
        connection->stream.close();
    group.cancel();
    auto joining = group.join();
    auto joined = co_await std::move(joining);
    inspections.stop();
    write_cursors();
    reader_thread.reset();
    for (int i = 0; i < 2; ++i) {  // twice: some may be on their way already
        write_audits();
        while (writes_in_flight > 0)
            co_await changed.wait_for(50ms);
    }
    if (!bus.audits.empty())
        log::error("bus", "audits_lost", "the log did not take audit records before the end",
                   {{"records", std::uint64_t{bus.audits.size()}}});
    const auto took = clock.steady() - begun;
    log::info("bus", "sessions_closed", "all sessions are closed",
              {{"sessions", std::uint64_t{count}}, {"took", format_duration(took)}});
    co_return joined;
}

}  // namespace amoskys::link
