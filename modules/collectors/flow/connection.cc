// What a flow's state says: letters of the history, Zeek's conn_state, payload by sequence numbers.
#include <algorithm>
#include <utility>

#include "modules/collectors/flow/sequence.h"
#include "modules/collectors/flow/tcp.h"

namespace amoskys::flow {

void add_scaled(Flow& flow, unsigned side, char letter, std::uint32_t& count) {
    ++count;
    std::uint32_t power = 1;
    while (power < count && power <= 100'000'000)
        power *= 10;
    if (power == count)
        flow.history.add(letter_of(side, letter));
}

bool add_once(Flow& flow, unsigned side, unsigned bit, char letter) {
    const auto mask = static_cast<std::uint16_t>(1U << (bit + 8 * side));
    if ((flow.once & mask) != 0)
        return false;
    flow.once = static_cast<std::uint16_t>(flow.once | mask);
    flow.history.add(letter_of(side, letter));
    return true;
}

void turn(Flow& flow) {
    flow.originator_is_low = !flow.originator_is_low;
    std::swap(flow.side[0], flow.side[1]);
    std::swap(flow.more[0], flow.more[1]);
    flow.once = static_cast<std::uint16_t>((flow.once << 8U) | (flow.once >> 8U));
    flow.partial = false;
    flow.history.add('^');
}

bool tcp_is_reuse(const Flow& flow, const Packet& packet) {
    if ((packet.tcp_flags & tcp_syn) == 0)
        return false;
    const Side& originator = flow.side[0];
    const Side& responder = flow.side[1];
    const bool with_ack = (packet.tcp_flags & tcp_ack) != 0;
    if (with_ack && originator.state != TcpState::inactive)
        return false;
    if (originator.did_close && responder.did_close)
        return true;
    const Side& side = with_ack ? responder : originator;
    if (packet.sequence == side.start_sequence)
        return false;
    const bool reversed = !with_ack && originator.state == TcpState::syn_ack_sent &&
                          responder.state == TcpState::inactive &&
                          packet.sequence == responder.start_sequence;
    return !reversed;
}

std::uint64_t tcp_payload_size(const Flow& flow, unsigned side_index) {
    const Side& side = flow.side[side_index];
    const Side& peer = flow.side[side_index ^ 1U];
    const std::uint64_t acknowledged = full(side.acknowledged, side.ack_wraps);
    const bool none = acknowledged == side.start_sequence ||
                      acknowledged == std::uint64_t{side.start_sequence} + 1;
    // A connection that only one side thought open: its numbers say nothing.
    if (side.before == TcpState::syn_sent && side.state == TcpState::reset &&
        peer.state == TcpState::inactive && !none)
        return 0;
    const std::uint64_t last = full(side.last_sequence, side.last_wraps);
    std::uint64_t size = std::max(last, acknowledged) - side.start_sequence;
    if (size != 0)  // SYN
        --size;
    if (side.fins > 0 && size != 0)
        --size;
    return size;
}

std::uint64_t payload_size(const Flow& flow, unsigned side) {
    return flow.key.protocol == protocol_tcp ? tcp_payload_size(flow, side)
                                             : flow.side[side].payload_bytes;
}

namespace {

// A SYN of the originator, then its RST, and between them nothing that tells more.
bool only_syn_and_reset(std::string_view history) {
    if (history.starts_with('^'))
        history.remove_prefix(1);
    if (!history.starts_with('S'))
        return false;
    history.remove_prefix(1);
    const auto reset = history.find('R');
    return reset != std::string_view::npos &&
           history.substr(0, reset).find_first_of("HAFGIQ") == std::string_view::npos;
}

std::string_view tcp_connection_state(const Flow& flow) {
    using enum TcpState;
    const TcpState from = flow.side[0].state, to = flow.side[1].state;
    const bool from_silent = from == inactive || from == partial;
    const bool to_silent = to == inactive || to == partial;
    if (to == reset) {
        const bool nothing_sent = tcp_payload_size(flow, 0) == 0 && tcp_payload_size(flow, 1) == 0;
        if (from == syn_sent || from == syn_ack_sent || (from == reset && nothing_sent))
            return "REJ";
        return from_silent ? "RSTRH" : "RSTR";
    }
    if (from == reset) {
        if (!to_silent)
            return "RSTO";
        return only_syn_and_reset(flow.history.text()) ? "RSTOS0" : "OTH";
    }
    if (from == closed)
        return to == closed ? "SF" : to_silent ? "SH" : "S2";
    if (to == closed)
        return from_silent ? "SHR" : "S3";
    if (from == syn_sent && to == inactive)
        return "S0";
    return from == established && to == established ? "S1" : "OTH";
}

}  // namespace

std::string_view connection_state(const Flow& flow) {
    if (flow.key.protocol == protocol_tcp)
        return tcp_connection_state(flow);
    if (flow.key.protocol != protocol_udp)
        return "OTH";
    if (flow.side[0].active)
        return flow.side[1].active ? "SF" : "S0";
    return flow.side[1].active ? "SHR" : "OTH";
}

std::string_view end_reason_name(EndReason reason) {
    constexpr std::string_view names[] = {"idle",    "closed", "attempt", "active",
                                          "evicted", "reused", "end"};
    return names[static_cast<std::size_t>(reason)];
}

}  // namespace amoskys::flow
