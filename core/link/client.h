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
    // the new epoch. permission "bus_log_key": the bus's log key is not the one pinned for it.
    struct BusHead {
        Epoch epoch;
        SeqNo sequence;
        Bytes signature;
        Bytes digest;
        std::string address = {};  // of the bus, as configured
        Bytes log_key = {};        // 32 bytes; empty where the bus has none
        std::string log_origin = {};
    };
    virtual Result<SeqNo> resume(const BusHead& head) = 0;
    // The first item with sequence > after in the current epoch; nothing where all were given.
    virtual Result<std::optional<Item>> next(SeqNo after) = 0;
    // The bus has everything up to `last` on disk: the spool moves its cursor and may trim.
    virtual void committed(SeqNo last) = 0;
    // The bus answered INVALID (never send again): next() gives a gap marker in its place from now
    // on.
    virtual Result<> reject(SeqNo sequence, const std::string& reason) = 0;
    // The bus's promise about this lane, its signature checked: to be kept durably.
    virtual void keep(const amoskys::bus::Receipt& receipt) = 0;
    // What the lane ends with, signed, the next one to come after `interval`; nothing where the
    // source has no key.
    virtual std::optional<amoskys::bus::Head> signed_head(Duration interval) = 0;
    // The session that resume() began is over: what was sent and not acknowledged may be there or
    // not.
    virtual void session_ended() = 0;
    // Returns when something was appended since the last call (or at once).
    virtual io::Task<> wait_for_more() = 0;
};

enum class Compress {
    off,
    automatic,  // zstd where it saves an eighth and the bus is not on this host
    on,         // zstd wherever it saves anything
};

struct ClientOptions {
    std::vector<io::Endpoint> buses;  // in the order of preference
    std::string agent_id, lane;
    io::TlsFiles tls;
    std::chrono::nanoseconds connect_timeout = std::chrono::seconds(5);
    std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(5);
    std::chrono::nanoseconds ping_after = std::chrono::seconds(30);
    std::chrono::nanoseconds stalled_write = std::chrono::seconds(4);
    std::chrono::nanoseconds head_interval = std::chrono::seconds(30);  // 0 = no heads
    // On another bus than the first: how often the first is tried; 0 = not before this one fails.
    std::chrono::nanoseconds return_after = std::chrono::seconds(60);
    // With several buses: after so many answers RETRY, OVERLOAD or PROCESSING_ERROR in a row the
    // next one is tried.
    unsigned retry_max = 6;
    std::uint64_t send_rate_events = 0;  // per second, 0 = unlimited
    Compress compression = Compress::off;
};

struct ClientStats {
    std::uint64_t sent = 0, acked = 0, retried = 0, rejected = 0, connects = 0, failures = 0,
                  receipts = 0, heads = 0, returns = 0;
    std::uint64_t envelope_bytes = 0, wire_bytes = 0;  // of what was sent, before and after zstd
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
    // Ends a session in which all is acknowledged with DRAIN, so that the bus sends a last receipt;
    // run() then returns. At most `patience`.
    io::Task<> finish(Duration patience);
    const ClientStats& stats() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

// One request and its answer over a connection of its own: health, status, metrics, register, ...
io::Task<Result<wire::Frame>> call(ClientOptions options, wire::Frame request);

}  // namespace amoskys::link
