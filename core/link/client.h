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

// What the client publishes from: a spool with a cursor (core/module/spool.h). Called on the io
// thread; calls are quick (a read of a mapped page). The source decides how a lane goes on
// (resume): the client only carries.
class Source {
  public:
    virtual ~Source() = default;
    struct Item {
        SeqNo sequence;        // the envelope's (a gap marker: its last_sequence)
        std::string envelope;  // stored bytes
    };
    // For HELLO.
    struct Position {
        Epoch epoch;
        SeqNo acked;            // last that a bus acknowledged in this epoch, 0 = none
        Bytes acked_signature;  // 64 bytes, empty where acked is 0
        SeqNo last;             // last in the spool
    };
    virtual Position position() const = 0;
    // WELCOME's state of this lane; all empty where the bus never saw it. Returns the sequence
    // after which to send. Where the bus's head does not fit what the spool has, the spool has then
    // begun a new epoch from that head and signed again what was not committed: position() tells
    // the new epoch.
    struct BusHead {
        Epoch epoch;
        SeqNo sequence;
        Bytes signature;
        Bytes digest;
    };
    virtual Result<SeqNo> resume(const BusHead& head) = 0;
    // The first item with sequence > after in the current epoch; nothing where all were given.
    virtual Result<std::optional<Item>> next(SeqNo after) = 0;
    // The bus has everything up to `last` on disk: the spool moves its cursor and may trim.
    virtual void committed(SeqNo last) = 0;
    // The bus answered INVALID (never send again): next() gives a gap marker in its place from now
    // on.
    virtual Result<> reject(SeqNo sequence, const std::string& reason) = 0;
    // Returns when something was appended since the last call (or at once).
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
