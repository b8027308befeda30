// The publisher's end of one session, sans-io: what to send next and what an answer means. Client
// (client.h) feeds it; a new one is made for each connection. io thread only.
//
// fill() reads from the source in order and writes PUBLISH frames while credit, rate and backoff
// allow. An answer other than OK to sequence n makes it go back to n (go-back-N): answers to what
// was sent after n in the same flight are only counted. INVALID is handed to the source, which then
// gives a gap marker in its place.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "core/base/clock.h"
#include "core/io/runtime.h"
#include "core/link/client.h"
#include "core/link/compressor.h"

namespace amoskys::link {

class ClientMachine {
  public:
    ClientMachine(Source& source, const ClientOptions& options, ClientStats& stats,
                  io::Endpoint bus = {});

    std::string hello();
    // An error ends the session: bus_identity_refused (permission), bus_refused, bus_draining, ...
    Result<> on_frame(ByteView body, std::chrono::steady_clock::time_point now);
    // Appends frames to out until it holds about limit_bytes. An error ends the session.
    Result<> fill(std::string& out, std::size_t limit_bytes,
                  std::chrono::steady_clock::time_point now);
    // HEAD every head_interval. PING when nothing was heard for ping_after; an error when that
    // stayed unanswered as long again.
    Result<> tick(std::string& out, std::chrono::steady_clock::time_point now);

    // Sends nothing new, and DRAIN once nothing is unanswered; the bus then sends a last receipt
    // and closes.
    void finish() { finishing_ = true; }

    bool welcomed() const { return welcomed_; }
    // Nothing is to be sent before this time (backoff, rate); nothing where only credit or data is
    // missing.
    std::optional<std::chrono::steady_clock::time_point> not_before() const { return not_before_; }
    bool has_unanswered() const { return !in_flight_.empty(); }

  private:
    struct Sent {
        std::uint64_t request_id = 0;
        SeqNo sequence;
        bool superseded = false;  // an earlier one was refused: whatever comes, it is sent again
    };
    using Time = std::chrono::steady_clock::time_point;

    Result<> on_welcome(const amoskys::bus::Welcome& welcome);
    Result<> on_receipt(const amoskys::bus::Receipt& receipt);
    void say_head(std::string& out, Time now);
    void put_publish(std::string& out, std::uint64_t id, const std::string& envelope);
    Result<> on_ack(const wire::Frame& frame, Time now);
    Result<> on_refused(const Sent& sent, const messaging::UniversalAck& ack, Time now);
    void go_back(SeqNo to);
    void note_committed(const amoskys::bus::Ack& ack);
    void say_waiting(std::string& out);
    bool rate_allows(const Source::Item& item, Time now);

    Source& source_;
    const ClientOptions& options_;
    ClientStats& stats_;
    const io::Endpoint bus_;
    std::optional<PublicKey> log_key_;
    std::optional<Compressor> compressor_;
    bool welcomed_ = false, draining_ = false, said_waiting_ = false;
    bool finishing_ = false, said_drain_ = false;
    std::uint64_t next_request_id_ = 2;  // HELLO has 1
    std::deque<Sent> in_flight_;
    SeqNo cursor_;                      // last sequence handed to the wire
    std::optional<Source::Item> held_;  // read, not yet allowed
    std::optional<SeqNo> told_committed_;
    std::uint64_t sent_envelopes_ = 0, sent_bytes_ = 0;
    std::uint64_t envelopes_limit_ = 0, bytes_limit_ = 0;
    std::optional<Time> not_before_;
    io::Backoff backoff_;
    unsigned refused_in_a_row_ = 0;
    double tokens_ = 0;
    std::optional<Time> tokens_at_;
    std::optional<Time> last_heard_, ping_sent_, last_head_;
};

// An ERROR frame as an Error.
Error bus_error(const amoskys::bus::ErrorFrame& error);

}  // namespace amoskys::link
