// The load of one publisher as a link::Source: envelopes signed as they are asked for, as fast as
// the bus gives credit or at a rate; kept until acknowledged, so that a new connection goes on.
// Used by Publisher, on its thread.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <string>

#include "core/io/runtime.h"
#include "core/link/client.h"
#include "modules/tools/bench/latencies.h"

namespace amoskys::modules::bench {

using SteadyTime = std::chrono::steady_clock::time_point;

// What the envelopes hold: made once, sent again and again with a new time, sequence and signature.
struct Load {
    std::string payload;  // a TelemetryBatch
    std::uint64_t records = 0, events = 0;
    std::uint64_t record_bytes = 0;
};
// Records as `agent snmp` writes them, with as many metrics as fill record_bytes.
Load make_load(std::uint64_t records, std::uint64_t record_bytes, UnixNanos time_ns);

struct Sent {
    std::uint64_t envelopes = 0, bytes = 0;  // acknowledged
    Latencies latencies;
};

class LoadSource final : public link::Source {
  public:
    struct Options {
        std::string agent_id, lane;
        std::shared_ptr<const crypto::SigningKey> key;
        const Load* load = nullptr;
        double envelopes_per_second = 0;  // 0 = as fast as it goes
        const Clock* clock = nullptr;
    };
    LoadSource(io::asio::io_context& io, Options options);

    Position position() const override;
    // A new epoch that goes on from the bus's head, so that no run breaks the lane's chain.
    Result<SeqNo> resume(const BusHead& head) override;
    Result<std::optional<Item>> next(SeqNo after) override;
    void committed(SeqNo last) override;
    Result<> reject(SeqNo sequence, const std::string& reason) override;
    void keep(const amoskys::bus::Receipt& receipt) override;
    std::optional<amoskys::bus::Head> signed_head(Duration interval) override;
    void session_ended() override;
    io::Task<> wait_for_more() override;

    io::Task<Result<>> pace();  // wakes the client when something is due, until cancelled
    void finish() { finished_ = true; }
    bool started() const { return started_; }
    bool idle() const { return unacked_.empty(); }
    Duration since_start() const { return options_.clock->steady() - start_; }
    const Sent& sent() const { return sent_; }

  private:
    struct Envelope {
        std::string bytes;
        SteadyTime due;
    };
    bool due() const;
    Result<Item> make();

    Options options_;
    io::Event more_;
    wire::EnvelopeBuilder builder_;
    std::deque<Envelope> unacked_;  // the newest is the builder's last
    std::uint64_t made_ = 0;
    bool started_ = false, finished_ = false;
    SteadyTime start_;
    Sent sent_;
};

}  // namespace amoskys::modules::bench
