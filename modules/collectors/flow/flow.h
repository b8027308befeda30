// One tracked conversation: what the table holds per flow. Plain data of at most max_flow_bytes,
// laid out so that a packet touches three cache lines: what FlowHead has, and the hot part of each
// side. Sides: 0 = originator, 1 = responder.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/base/clock.h"
#include "modules/collectors/flow/packet.h"

namespace amoskys::flow {

enum class TcpState : std::uint8_t {
    inactive,  // nothing came from this side
    partial,   // came without a handshake
    syn_sent,
    syn_ack_sent,  // a SYN+ACK without a SYN before it
    established,
    closed,  // sent FIN
    reset,   // sent RST
};

enum class EndReason : std::uint8_t { idle, closed, attempt, active, evicted, reused, end };
std::string_view end_reason_name(EndReason reason);

struct alignas(64) Side {
    std::uint64_t packets = 0;        // since the flow's last record
    std::uint64_t ip_bytes = 0;       // the same
    std::uint64_t payload_bytes = 0;  // not of TCP, which has payload_size()
    std::uint64_t delivered = 1;      // relative sequence up to which all has been seen
    std::uint64_t trimmed = 1;        // relative sequence up to which the peer has acknowledged
    std::uint32_t start_sequence = 0, last_sequence = 0, acknowledged = 0;
    std::uint16_t last_wraps = 0, ack_wraps = 0;
    TcpState state = TcpState::inactive, before = TcpState::inactive;
    std::uint8_t flags_seen = 0;  // TCP flags ORed
    std::uint8_t fins = 0;        // counts to 255
    std::uint8_t holes = 0;       // pieces in use
    std::uint8_t ttl = 0;         // of the first packet
    bool did_close : 1 = false, did_end : 1 = false, seen : 1 = false, active : 1 = false,
                     gave_up : 1 = false;
};
static_assert(sizeof(Side) == 64);

// Pieces of payload above a hole, as 32-bit sequence numbers relative to the start.
struct SideMore {
    static constexpr std::size_t max_pieces = 3;
    struct Piece {
        std::uint32_t begin = 0, end = 0;
    };
    std::array<Piece, max_pieces> pieces;
    std::uint32_t last_syn = 0, last_fin = 0, last_rst = 0;  // relative; for repeats in history
    std::uint32_t gaps = 0, bad_checksums = 0, retransmissions = 0, zero_windows = 0;
    std::uint32_t fin_sequence = 0;         // relative, one past the FIN
    std::uint32_t retransmitted_bytes = 0;  // at most 2^32 - 1
    std::uint64_t missed_bytes = 0;
    std::uint64_t reported_payload = 0;  // in earlier records of the flow
};

struct History {
    static constexpr std::size_t max_letters = 31;
    std::array<char, max_letters> letters{};
    std::uint8_t size = 0;
    void add(char letter) {
        if (size < max_letters)
            letters[size++] = letter;
    }
    std::string_view text() const { return {letters.data(), size}; }
};

inline constexpr std::uint32_t no_flow = 0xffffffff;

// The first cache line of a flow.
struct FlowHead {
    FlowKey key;
    UnixNanos last_ns = 0;
    std::uint32_t look_s = 0;  // Unix second before which only silence can end it or its record
    std::uint32_t hash = 0;
    std::uint16_t once = 0;  // letters of the history that stand there once
    std::uint16_t part = 0;  // records that the active timeout has made
    bool originator_is_low : 1 = true, partial : 1 = false, close_deferred : 1 = false,
                             answered : 1 = false, attempt_armed : 1 = false, closing : 1 = false,
                             detected : 1 = false,  // the detection looks no further
        handshake_seen : 1 = false;                 // handshake_us is known
    std::uint8_t service = 0;
    std::uint8_t unknown_payloads = 0;  // that the detection could not tell
    std::uint8_t interface = 0;
};
static_assert(sizeof(FlowHead) == 64);

struct Flow : FlowHead {
    std::array<Side, 2> side;
    std::array<SideMore, 2> more;
    UnixNanos start_ns = 0;
    UnixNanos due_ns = 0;              // attempt_armed: its end; closing: the removal
    std::uint32_t begin_s = 0;         // start_ns to the start of the record that is under way
    std::uint32_t reply_delay_us = 0;  // first packet to first one back; 0: none
    std::uint32_t handshake_us = 0;    // SYN to the ACK of the SYN+ACK; 0: not seen
    std::uint32_t wheel_next = no_flow, wheel_previous = no_flow;
    std::uint32_t detection = no_flow;  // slot of the service detection
    std::uint16_t wheel_slot = 0;
    Layers layers;  // of the first packet
    History history;

    UnixNanos begin_ns() const { return start_ns + begin_s * UnixNanos{1'000'000'000}; }
};
// Microseconds, at least 1 and at most 2^32 - 1.
inline std::uint32_t microseconds(UnixNanos delay_ns) {
    const UnixNanos us = delay_ns / 1000;
    return us == 0 ? 1U : us > 0xffffffffU ? 0xffffffffU : static_cast<std::uint32_t>(us);
}
inline constexpr std::size_t max_flow_bytes = 512;

// Payload bytes that the side of a TCP flow sent, by its sequence numbers.
std::uint64_t tcp_payload_size(const Flow& flow, unsigned side);
// Zeek's conn_state: S0 S1 SF REJ S2 S3 RSTO RSTR RSTOS0 RSTRH SH SHR OTH.
std::string_view connection_state(const Flow& flow);
std::uint64_t payload_size(const Flow& flow, unsigned side);

}  // namespace amoskys::flow
