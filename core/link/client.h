// The publisher's end of the bus protocol: ClientMachine (sans-io) decides what to send and what an
// answer means; Client (Asio) connects, keeps the list of buses, backs off and feeds the machine.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/types.h"
#include "core/io/runtime.h"
#include "core/io/tls_context.h"
#include "core/wire/builder.h"
#include "core/wire/frame.h"

namespace amoskys::link {

// What the client publishes from: a spool with a cursor. Called on the io thread; calls are quick
// (a read of a mapped page).
class Source {
  public:
    virtual ~Source() = default;
    struct Item {
        SeqNo sequence;        // the envelope's (a gap marker: its last_sequence)
        std::string envelope;  // stored bytes
    };
    // The first item with sequence > after in the current epoch; nothing where all were given.
    virtual Result<std::optional<Item>> next(SeqNo after) = 0;
    virtual wire::WriterState writer_state() const = 0;
    // What the bus has committed for this lane (from WELCOME and from acks): the spool may move its
    // cursor and trim.
    virtual void committed(Epoch epoch, SeqNo last) = 0;
    // The bus answered INVALID (never send again): replaced by a gap marker by the spool.
    virtual Result<> reject(SeqNo sequence, const std::string& reason) = 0;
    // WELCOME's head for this lane does not fit the spool: the spool starts a new epoch from that
    // head.
    virtual Result<> start_epoch(const wire::WriterState& from_bus, const std::string& why) = 0;
    // Resumed when something was appended.
    virtual io::Task<> wait_for_more() = 0;
};

struct ClientOptions {
    std::vector<io::Endpoint> buses;
    std::string agent_id, lane;
    io::TlsFiles tls;
    std::chrono::nanoseconds connect_timeout = std::chrono::seconds(5);
    std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(5);
    std::chrono::nanoseconds ping_after = std::chrono::seconds(30);
    std::chrono::nanoseconds stalled_write = std::chrono::seconds(4);
    std::uint64_t send_rate_events = 0;  // per second, 0 = unlimited
};

struct ClientStats {
    std::uint64_t sent = 0, acked = 0, retried = 0, rejected = 0, connects = 0, failures = 0;
    bool connected = false;
    std::string bus;         // the address in use
    std::string last_error;  // of the last failed attempt
    SeqNo acked_sequence;
};

class Client {
  public:
    Client(io::asio::io_context& io, ClientOptions options, Source& source);
    ~Client();
    // Connects, resumes, publishes and reconnects until cancelled. Fails only for what cannot heal
    // by itself (unreadable key files, refused identity three times in a row on every bus).
    io::Task<Result<>> run();
    const ClientStats& stats() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

// One request and its answer over a connection of its own: health, status, metrics, register, ...
io::Task<Result<wire::Frame>> call(ClientOptions options, wire::Frame request);

}  // namespace amoskys::link
