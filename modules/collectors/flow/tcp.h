// The life of a TCP connection as Zeek's conn.log tells it: states of both sides, history letters,
// payload by sequence numbers, gaps, retransmissions, closing. No clock, no allocation. The letters
// (upper case: by the originator): s SYN, h SYN+ACK, a pure ACK, d payload, f FIN, r RST, c bad
// checksum, g gap, t retransmission, w zero window, i FIN+RST, q other flags at once, ^ direction
// turned. a d i q stand there once; s h f r again with another sequence number; c g t w at the 1st,
// 10th, 100th time. Described in Zeek's documentation of conn.log.
#pragma once

#include "modules/collectors/flow/flow.h"

namespace amoskys::flow {

struct TcpTimes {
    UnixNanos attempt_ns = 5'000'000'000;  // a SYN without an answer
    UnixNanos close_ns = 5'000'000'000;    // from the close to the removal
};

// Takes one packet of the flow, from `from`. Counting packets and bytes is the caller's: the
// return value is the side to count it for, which is another one where the packet turned the
// direction.
unsigned tcp_packet(Flow& flow, unsigned from, const Packet& packet, UnixNanos now_ns,
                    const TcpTimes& times);
// True where the packet starts another connection with the same addresses and ports.
bool tcp_is_reuse(const Flow& flow, const Packet& packet);
// Swaps originator and responder and notes it.
void turn(Flow& flow);
// Adds a letter that repeats at 10, 100, ... times.
void add_scaled(Flow& flow, unsigned side, char letter, std::uint32_t& count);
// Adds a letter that stands there once; false where it does already.
bool add_once(Flow& flow, unsigned side, unsigned bit, char letter);
inline constexpr unsigned once_data = 0;  // bit of 'd', which UDP has too

}  // namespace amoskys::flow
