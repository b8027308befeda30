// From frames to finished flows: decoder, fragments, flow table, timeouts. Sans-io: time is the
// time of the frames, and of advance() where none come. Finished flows and interim records go to
// the sink at once. Not thread-safe; an engine belongs to the thread that reads the frames.
//
// A flow ends idle (its timeout), closed (FIN or RST of both sides, and close_ns), attempt (a SYN
// that nobody answers), reused (a new SYN with the same ports), evicted (the table was full), end
// (finish()). After active_ns a flow that goes on gives an interim record; its next one counts from
// there.
//
// Eviction, where a new flow finds the table full: of the next 64 flows in the order of the table,
// the first that is closing; else the longest silent, where that is at least evict_idle_ns; else
// the oldest that was never answered; else the longest silent.
#pragma once

#include <span>

#include "modules/collectors/flow/decoder.h"
#include "modules/collectors/flow/fragments.h"
#include "modules/collectors/flow/table.h"
#include "modules/collectors/flow/tcp.h"
#include "modules/collectors/flow/trace_parser.h"

namespace amoskys::flow {

struct EngineOptions {
    bool verify_checksums = true;
    std::size_t max_flows = 262144;
    UnixNanos tcp_idle_ns = 300'000'000'000;
    UnixNanos udp_idle_ns = 60'000'000'000;
    UnixNanos dns_idle_ns = 10'000'000'000;   // UDP with port 53
    UnixNanos icmp_idle_ns = 60'000'000'000;  // and of all other protocols
    UnixNanos active_ns = 1'800'000'000'000;
    TcpTimes tcp;
    std::uint64_t hash_secret = 0;
};

class FlowSink {
  public:
    virtual ~FlowSink() = default;
    virtual void record(const Flow& flow, EndReason reason) = 0;
};

// Sees the payload of counted packets, for the detection of services.
class PayloadReader {
  public:
    virtual ~PayloadReader() = default;
    // Packets with payload, until it sets flow.detected.
    virtual void payload(Flow& flow, unsigned side, const Packet& packet) = 0;
    virtual void forget(Flow& flow) = 0;  // the flow has ended
};

struct EngineStats {
    std::uint64_t frames = 0, frame_bytes = 0, packets = 0, bad_checksums = 0;
    std::array<std::uint64_t, verdicts> verdict{};  // frames without a packet
    std::uint64_t flows = 0, records = 0;
    std::uint64_t evicted_closing = 0, evicted_idle = 0, evicted_unanswered = 0, evicted_active = 0;
    std::uint64_t fragments = 0, datagrams = 0, datagrams_given_up = 0;
};

class Engine {
  public:
    static constexpr UnixNanos evict_idle_ns = 10'000'000'000;
    static constexpr std::size_t evict_sample = 64;

    Engine(const EngineOptions& options, FlowSink& sink, PayloadReader* reader = nullptr);

    // Frames in the order of their arrival; views need to live during the call only.
    void frames(std::span<const Frame> batch);
    // Time goes on without frames (live capture). Ends at most `limit` of the flows that are due;
    // a flow that waits for its turn is found over when a packet asks for it.
    void advance(UnixNanos now_ns, std::size_t limit = 4096);
    // Ends at most `limit` flows; true once none is left.
    bool finish(std::size_t limit);

    const EngineStats& stats() const { return stats_; }
    const FlowTable& table() const { return table_; }

  private:
    static constexpr std::size_t batch_frames = 16;
    static constexpr std::size_t due_per_frame = 8;
    void chunk(std::span<const Frame> batch);
    void frame(const Frame& frame, Decoded& decoded, std::span<const std::uint64_t> hashes);
    void reassemble(const Frame& frame, Decoded& decoded);
    void packet(const Packet& packet, std::uint64_t hash, const Frame& frame);
    std::uint32_t open(const Packet& packet, std::uint64_t hash, const Frame& frame);
    void count(std::uint32_t index, unsigned side, const Packet& packet);
    bool is_over(Flow& flow, EndReason& reason) const;
    void end(std::uint32_t index, EndReason reason);
    void interim(Flow& flow);
    void evict();
    void look_at(std::uint32_t index);
    UnixNanos idle_ns(const Flow& flow) const;
    UnixNanos due_ns(const Flow& flow) const;
    void set_look(Flow& flow) const;

    EngineOptions options_;
    FlowSink& sink_;
    PayloadReader* reader_;
    Decoder decoder_;
    Fragments fragments_;
    FlowTable table_;
    EngineStats stats_;
    UnixNanos now_ns_ = 0;
    std::uint64_t now_s_ = 0;
    UnixNanos least_idle_ns_;  // no timeout is shorter
    std::uint32_t hand_ = 0;   // of the eviction
    std::uint32_t finished_ = 0;
    bool behind_ = false;  // more flows are due
    std::array<Decoded, batch_frames> decoded_;
    std::array<std::array<std::uint64_t, Decoded::max_packets>, batch_frames> hashes_{};
};

}  // namespace amoskys::flow
