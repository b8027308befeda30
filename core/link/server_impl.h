// The shell's parts, shared by server.cc and server_connection.cc only.
#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <deque>
#include <map>
#include <memory>

#include "core/io/listener.h"
#include "core/link/inspection_pool.h"
#include "core/link/server.h"
#include "core/link/server_session.h"

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
    using Stream = io::asio::ssl::stream<io::asio::ip::tcp::socket>;
    ServerConnection(io::asio::io_context& io, io::asio::ip::tcp::socket socket,
                     std::shared_ptr<io::asio::ssl::context> context_, std::uint64_t id_,
                     std::string address_)
        : context(std::move(context_)),
          stream(std::move(socket), *context),
          output_ready(io),
          output_taken(io),
          id(id_),
          address(std::move(address_)) {}

    void close_socket() {
        boost::system::error_code ignored;
        stream.lowest_layer().close(ignored);
    }

    std::shared_ptr<io::asio::ssl::context> context;
    Stream stream;
    std::unique_ptr<ServerSession> session;  // after the handshake
    io::Event output_ready, output_taken;
    std::deque<WaitingFrame> waiting;
    std::size_t waiting_bytes = 0;
    // The io thread has been told. Apart from the connection, which must end on the io thread.
    std::shared_ptr<std::atomic<bool>> told = std::make_shared<std::atomic<bool>>(false);
    const std::uint64_t id;
    const std::string address;
    bool reader_ended = false, writer_ended = false;
};

struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
    using Connection = std::shared_ptr<ServerConnection>;

    Impl(io::asio::io_context& io_, const Clock& clock_, metrics::Registry& registry,
         wal::Log& log_, wal::Writer& writer_, ServerConfig config_);

    // server.cc
    Result<> read_files(const ServerConfig& from);
    io::Task<Result<>> accept_all();
    io::Task<Result<>> tick_all();
    io::Task<Result<>> stop();
    void update_gauges();
    void update_admission(const wal::WriterStats& stats);
    void write_audits();

    // server_connection.cc
    static io::Task<Result<>> serve(std::shared_ptr<Impl> impl, Connection connection);
    static io::Task<Result<>> write_output(std::shared_ptr<Impl> impl, Connection connection);
    io::Task<bool> handshake(Connection connection);
    io::Task<bool> read_once(Connection connection, wire::FrameReader* reader);
    void handshake_failed(const Connection& connection, std::string_view reason);
    void on_frame(const Connection& connection, ByteView body);
    void inspect(const Connection& connection, std::shared_ptr<Inspection> inspection);
    void take_inspected(std::uint64_t id);
    void pump(const Connection& connection);
    void submit(const Connection& connection, wal::WriteRequest write);
    void feed_starving();
    void forget(const Connection& connection);

    io::asio::io_context& io;
    const Clock& clock;
    wal::Log& log;
    wal::Writer& writer;
    ServerConfig config;
    BusState bus;
    LogGauges gauges;
    std::shared_ptr<io::asio::ssl::context> context;
    io::Listener listener;
    io::TaskGroup group;
    io::Event changed;  // a connection or a write has ended
    std::map<std::uint64_t, Connection> connections;
    std::map<std::string, std::uint64_t> unauthenticated;  // by address
    std::uint64_t next_id = 1, writes_in_flight = 0, failed_commits = 0, last_events = 0;
    SteadyTime last_tick;
    bool stopping = false;
    InspectionPool inspections;  // last: its threads end before all that they tell
};

}  // namespace amoskys::link
