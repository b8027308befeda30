// A reader of a bus's log: SubscriberMachine (sans-io) says what to send and what an answer means;
// Subscriber (Asio) connects, goes on where it stopped, and backs off. For tools and modules that
// read another host's log.
//
// Exactly what was given: envelopes come in order of their sequence, each once in a run, also over
// reconnections. With a cursor the bus remembers how far the consumer is; a crash before a commit
// gives the envelopes since then again. One bus: sequences are of its log, another one counts its
// own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/io/runtime.h"
#include "core/io/tls_context.h"
#include "core/wire/frame.h"

namespace amoskys::link {

enum class Reconnect { never, after_success, always };  // success: the bus accepted SUBSCRIBE once

struct SubscriberOptions {
    io::Endpoint bus;
    std::string agent_id;
    io::TlsFiles tls;
    // Where to begin, in this order: sequence, received time, what the cursor has, what comes next.
    WalOffset from;
    UnixNanos from_time_ns = 0;
    std::string cursor;
    bool hold = false;
    amoskys::bus::Filter filter;
    bool stop_at_end = false;  // run() returns once the newest record of the first moment was given
    Reconnect reconnect = Reconnect::always;
    std::uint64_t window_envelopes = 512;
    std::uint64_t window_bytes = 4ULL << 20;
    std::chrono::nanoseconds connect_timeout = std::chrono::seconds(5);
    std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(5);
    std::chrono::nanoseconds ping_after = std::chrono::seconds(30);
    std::chrono::nanoseconds stalled_write = std::chrono::seconds(4);
};

struct SubscriberStats {
    std::uint64_t delivered = 0, bytes = 0, connects = 0, failures = 0;
    WalOffset done;       // everything up to it was given or does not match
    bool placed = false;  // `done` is known
    WalOffset newest;     // of the bus's log when it last said so
    std::string note;     // from the ACK: what was pruned before it could be read
    std::string last_error;
};

// What the consumer does with each envelope (views are valid during the call). False: run() ends.
// An error ends run() with it. What returned true is done with: the cursor may pass it.
using DeliverHandler = std::function<Result<bool>(const wire::DeliverView&)>;

class Subscriber {
  public:
    Subscriber(io::asio::io_context& io, SubscriberOptions options, DeliverHandler handler);
    ~Subscriber();
    // Until the handler says stop, stop_at_end is reached or the task is cancelled; the cursor is
    // committed and answered before it returns. Fails for what cannot heal by itself: key files,
    // refused identity or permission, a request that the bus does not understand.
    io::Task<Result<>> run();
    const SubscriberStats& stats() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace amoskys::link
