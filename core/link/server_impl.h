// The shell's parts, shared by server.cc and server_connection.cc only.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <set>

#include "core/io/listener.h"
#include "core/io/tls_stream.h"
#include "core/link/inspection_pool.h"
#include "core/link/server.h"
#include "core/link/server_session.h"
#include "core/link/trust_journal.h"

namespace amoskys::link {

// Envelopes of one connection that wait for their inspection, or behind one that does: beyond this
// it is not read.
inline constexpr std::size_t max_waiting_bytes = 1 << 20;

// A frame whose turn has not come: either with the pool, or behind one that is.
struct WaitingFrame {
    std::shared_ptr<Inspection> inspection;
    std::string body;  // where there is no inspection
    std::size_t size_bytes = 0;
};

// One connection: its reader and writer task share it; a write that is with the log keeps it, too.
struct ServerConnection {
    ServerConnection(io::asio::io_context& io, io::asio::ip::tcp::socket socket,
                     io::TlsContext context, std::uint64_t id_, std::string host_,
                     std::uint16_t port)
        : stream(std::move(socket), std::move(context)),
          output_ready(io),
          output_taken(io),
          id(id_),
          host(std::move(host_)),
          address(io::format_endpoint(host, port)) {}

    io::TlsStream stream;
    std::unique_ptr<ServerSession> session;  // after the handshake
    wire::FrameReader reader;
    std::optional<SteadyTime> frame_began;  // a frame has begun to come
    io::Event output_ready, output_taken;
    std::deque<WaitingFrame> waiting;
    std::size_t waiting_bytes = 0;
    // The io thread has been told. Apart from the connection, which must end on the io thread.
    std::shared_ptr<std::atomic<bool>> told = std::make_shared<std::atomic<bool>>(false);
    const std::uint64_t id;
    const std::string host, address;
    bool at_the_gate = true;  // has not yet shown an identity that is in the trust map
    bool reader_ended = false, writer_ended = false;
};

struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
    using Connection = std::shared_ptr<ServerConnection>;

    Impl(io::asio::io_context& io_, const Clock& clock_, metrics::Registry& registry,
         wal::Log& log_, wal::Writer& writer_, ServerConfig config_);

    // server.cc
    std::string_view make_room_for(const std::string& host);
    Result<> read_files(const ServerConfig& from);
    io::Task<Result<>> accept_all();
    io::Task<Result<>> tick_all();
    io::Task<Result<>> stop();
    void update_gauges();
    void settle_rivals();
    void update_session_gauges();
    void update_admission(const wal::WriterStats& stats);
    void write_audits();

    // server_trust.cc
    void settle_trust();
    bool free_lane(Lane& lane);
    void write_trust(TrustJournal::Changes change,
                     std::vector<std::pair<Lane*, wire::LaneState>> opened);

    // server_connection.cc
    static io::Task<Result<>> serve(std::shared_ptr<Impl> impl, Connection connection);
    static io::Task<Result<>> write_output(std::shared_ptr<Impl> impl, Connection connection);
    io::Task<bool> handshake(Connection connection);
    io::Task<bool> read_once(Connection connection);
    void take_frames(ServerConnection& connection);
    io::Task<bool> write_all(Connection connection, std::string_view out);
    void leave_gate(ServerConnection& connection);
    void handshake_failed(const Connection& connection, std::string_view reason);
    void on_frame(ServerConnection& connection, ByteView body);
    void inspect(const ServerConnection& connection, std::shared_ptr<Inspection> inspection);
    void take_inspected(std::uint64_t id);
    void pump(const Connection& connection);
    void submit(const Connection& connection, wal::WriteRequest write);
    void feed_starving();
    void forget(const Connection& connection);

    // server_subscribe.cc
    void pump_read(const Connection& connection);
    static io::Task<Result<>> read_log(std::shared_ptr<Impl> impl, Connection connection,
                                       ReadStep step);
    void watch_tail();
    void wake_tail_readers();
    void write_cursors();
    void update_cursor_gauges(const wal::LogStats& stats);

    io::asio::io_context& io;
    const Clock& clock;
    wal::Log& log;
    wal::Writer& writer;
    ServerConfig config;
    BusState bus;
    LogGauges gauges;
    io::TlsContext context;
    io::Listener listener;
    io::TaskGroup group;
    // Reads for subscribers; ends before the log does (stop()).
    std::unique_ptr<io::DedicatedThread> reader_thread;
    // Shared with the writer thread: how many commits there were, and whether somebody waits for
    // the next one.
    struct Tail {
        std::atomic<std::uint64_t> commits{0};
        std::atomic<bool> wanted{false};
    };
    std::shared_ptr<Tail> tail = std::make_shared<Tail>();
    io::Event changed;  // a connection or a write has ended
    std::map<std::uint64_t, Connection> connections;
    std::map<std::string, std::set<std::uint64_t>> at_the_gate;  // ids of connections, by address
    std::uint64_t all_at_the_gate = 0;
    std::uint64_t next_id = 1, writes_in_flight = 0, failed_commits = 0, last_events = 0,
                  accept_pauses = 0;
    SteadyTime last_tick;
    bool stopping = false;
    TrustJournal journal;
    std::shared_ptr<const crypto::TrustMap> settled_trust;  // the log knows all of it
    bool trust_writing = false, audits_writing = false;
    InspectionPool inspections;  // last: its threads end before all that they tell
};

}  // namespace amoskys::link
