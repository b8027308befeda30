#include "modules/collectors/flow/tcp.h"

#include <algorithm>

#include "modules/collectors/flow/sequence.h"
#include "modules/collectors/flow/stream.h"

namespace amoskys::flow {
namespace {

// A jump of a SYN's or RST's sequence number that is not believed.
constexpr std::int32_t far_jump = 1 << 20;
enum Once : unsigned { data = once_data, ack, syn, fin, rst, fin_rst, multi_flag };

struct Segment {
    const Packet& packet;
    bool has(std::uint8_t flag) const { return (packet.tcp_flags & flag) != 0; }
    bool control() const { return (packet.tcp_flags & (tcp_syn | tcp_fin | tcp_rst)) != 0; }
};

void set_state(Side& side, TcpState state) {
    if (side.state == state)
        return;
    side.before = side.state;
    side.state = state;
}

void set_last(Side& side, std::uint32_t sequence) {
    if (sequence < side.last_sequence)
        ++side.last_wraps;
    side.last_sequence = sequence;
}

void set_acknowledged(Side& side, std::uint32_t sequence) {
    if (sequence < side.acknowledged)
        ++side.ack_wraps;
    side.acknowledged = sequence;
}

void restart(Side& side, std::uint32_t start, std::uint32_t last) {
    side.start_sequence = side.acknowledged = start;
    side.last_sequence = last;
}

// Position relative to the side's start. `underflow`: before it.
std::uint64_t relative(const Side& side, std::uint32_t sequence, std::uint32_t last,
                       std::uint16_t wraps, bool& underflow) {
    const std::int32_t moved = difference(sequence, last);
    if (moved < 0 && wraps != 0 && sequence > last)
        --wraps;
    else if (moved > 0 && sequence < last)
        ++wraps;
    if (wraps == 0) {
        const std::int32_t from_start = difference(sequence, side.start_sequence);
        underflow = from_start < 0;
        return static_cast<std::uint64_t>(std::int64_t{from_start});
    }
    return full(sequence, wraps) - side.start_sequence;
}

// One packet on its way through the machine.
class Step {
  public:
    Step(Flow& flow, unsigned from, const Packet& packet, UnixNanos now_ns, const TcpTimes& times)
        : flow_(flow),
          me_(from),
          packet_(packet),
          segment_{packet},
          now_ns_(now_ns),
          times_(times) {}
    unsigned run();

  private:
    Side& mine() { return flow_.side[me_]; }
    Side& other() { return flow_.side[me_ ^ 1U]; }
    bool from_originator() const { return me_ == 0; }

    void note_partial();
    void note_first_sequence(std::uint32_t end);
    void note_history(std::uint64_t at);
    std::uint64_t note_acknowledged();
    std::int32_t note_last(std::uint32_t end);
    void state_of_inactive();
    void syn_of_inactive();
    void rst_or_data_of_inactive();
    void state_of_syn_sent();
    void state_of_established();
    void state_of_closed();
    void move_state();

    void check_end(unsigned s);
    void close(unsigned s);

    Flow& flow_;
    unsigned me_;
    const Packet& packet_;
    const Segment segment_;
    const UnixNanos now_ns_;
    const TcpTimes& times_;
    bool closes_ = false;
};

void Step::note_partial() {
    const bool is_syn = segment_.has(tcp_syn);
    if (from_originator()) {
        if (!mine().seen)
            flow_.partial = !is_syn || segment_.has(tcp_ack);
    } else if (!mine().seen && !flow_.partial) {
        flow_.partial = !is_syn;
    }
}

void Step::note_first_sequence(std::uint32_t end) {
    Side& side = mine();
    const std::uint32_t begin = packet_.sequence;
    const bool is_syn = segment_.has(tcp_syn);
    switch (side.state) {
        case TcpState::inactive:
            // Without a SYN as if there had been one just before.
            if (is_syn)
                restart(side, begin, end);
            else
                restart(side, begin - 1, begin);
            break;
        case TcpState::syn_sent:
        case TcpState::syn_ack_sent:
            if (is_syn && begin != side.start_sequence)
                restart(side, begin, end);
            break;
        case TcpState::established:
        case TcpState::partial:
            if (is_syn)
                restart(side, begin, end);
            break;
        case TcpState::reset:
            // The RST that gave the numbers may have been forged.
            if (is_syn && side.before == TcpState::inactive)
                restart(side, begin, end);
            break;
        case TcpState::closed:
            break;
    }
}

void Step::note_history(std::uint64_t at) {
    SideMore& more = flow_.more[me_];
    const auto again = [&](unsigned bit, char letter, std::uint32_t& last, std::uint64_t position) {
        const auto now = static_cast<std::uint32_t>(position);
        if (!add_once(flow_, me_, bit, letter) && now != last)
            flow_.history.add(letter_of(me_, letter));
        last = now;
    };
    const int flags = (segment_.has(tcp_syn) ? 1 : 0) + (segment_.has(tcp_fin) ? 1 : 0) +
                      (segment_.has(tcp_rst) ? 1 : 0);
    if (flags > 1) {
        if (segment_.has(tcp_fin) && segment_.has(tcp_rst))
            add_once(flow_, me_, Once::fin_rst, 'I');
        else
            add_once(flow_, me_, Once::multi_flag, 'Q');
    } else if (segment_.has(tcp_syn)) {
        again(Once::syn, segment_.has(tcp_ack) ? 'H' : 'S', more.last_syn, at);
    } else if (segment_.has(tcp_fin)) {
        again(Once::fin, 'F', more.last_fin, at + packet_.payload_bytes);
    } else if (segment_.has(tcp_rst)) {
        again(Once::rst, 'R', more.last_rst, at);
    } else if (packet_.payload_bytes > 0) {
        add_once(flow_, me_, Once::data, 'D');
    } else if (segment_.has(tcp_ack)) {
        add_once(flow_, me_, Once::ack, 'A');
    }
    // Uninteresting with or after a RST, and once the other side has nothing more to send.
    if (packet_.window == 0 && !segment_.has(tcp_rst) && other().state != TcpState::closed &&
        mine().state != TcpState::reset)
        add_scaled(flow_, me_, 'W', more.zero_windows);
}

// Relative position that the packet acknowledges.
std::uint64_t Step::note_acknowledged() {
    Side& peer = other();
    if (peer.state == TcpState::inactive) {
        restart(peer, packet_.acknowledged - 1, packet_.acknowledged - 1);
        return 1;
    }
    bool underflow = false;
    const std::uint64_t at =
        relative(peer, packet_.acknowledged, peer.acknowledged, peer.ack_wraps, underflow);
    if (underflow)
        return 0;
    if (!segment_.has(tcp_rst)) {  // a RST's number is not believed
        const std::int32_t moved = difference(packet_.acknowledged, peer.acknowledged);
        const bool broken = packet_.acknowledged == 0 && moved > far_jump;
        if (moved > 0 && !broken)
            set_acknowledged(peer, packet_.acknowledged);
    }
    return at;
}

std::int32_t Step::note_last(std::uint32_t end) {
    Side& side = mine();
    const std::int32_t moved = difference(end, side.last_sequence);
    const bool jump = moved > far_jump || moved < -far_jump;
    if ((segment_.has(tcp_syn) || segment_.has(tcp_rst)) && jump)
        return moved;
    if (segment_.has(tcp_fin) && side.last_sequence == side.start_sequence + 1) {
        set_last(side, end);
    } else if (side.state == TcpState::reset) {
        return moved;
    } else if (moved > 0) {
        set_last(side, end);
    } else if (packet_.payload_bytes > 0) {
        SideMore& more = flow_.more[me_];
        more.retransmitted_bytes +=
            std::min(packet_.payload_bytes, 0xffffffffU - more.retransmitted_bytes);
        add_scaled(flow_, me_, 'T', more.retransmissions);
    }
    return moved;
}

void Step::syn_of_inactive() {
    Side& peer = other();
    if (from_originator()) {
        if (peer.state == TcpState::established && peer.seen && !segment_.has(tcp_ack)) {
            // The SYN+ACK came by before the SYN that it answers.
            set_state(mine(), TcpState::established);
            flow_.partial = false;
            return;
        }
        set_state(mine(), segment_.has(tcp_ack) ? TcpState::syn_ack_sent : TcpState::syn_sent);
        flow_.attempt_armed = true;
        flow_.due_ns = now_ns_ + times_.attempt_ns;
        return;
    }
    if (!segment_.has(tcp_ack) && peer.state == TcpState::syn_ack_sent &&
        packet_.sequence == mine().start_sequence) {
        // SYN+ACK and SYN came in the wrong order: who sent the SYN is the originator.
        flow_.partial = false;
        turn(flow_);
        me_ ^= 1U;
        set_state(other(), TcpState::established);
        set_state(mine(), TcpState::established);
        return;
    }
    if (peer.state == TcpState::syn_sent)
        set_state(peer, TcpState::established);
    set_state(mine(), TcpState::established);
}

void Step::rst_or_data_of_inactive() {
    if (segment_.has(tcp_rst)) {
        set_state(mine(), TcpState::reset);
        closes_ = true;
    }
    if (mine().state != TcpState::inactive)
        return;
    // Some acknowledge a SYN before they answer it: not the start of a partial connection.
    if (!from_originator() && packet_.payload_bytes == 0 &&
        flow_.side[0].state == TcpState::syn_sent)
        return;
    if (segment_.has(tcp_ack) && other().state == TcpState::established) {
        // The SYN was missed, the SYN+ACK and its acknowledgement were not.
        set_state(mine(), TcpState::established);
        flow_.partial = false;
        mine().seen = true;
    } else {
        set_state(mine(), TcpState::partial);
    }
}

void Step::state_of_inactive() {
    if (segment_.has(tcp_syn))
        syn_of_inactive();
    if (segment_.has(tcp_fin)) {
        set_state(mine(), TcpState::closed);
        closes_ = true;
    }
    rst_or_data_of_inactive();
}

void Step::state_of_syn_sent() {
    if (segment_.has(tcp_fin))
        set_state(mine(), TcpState::closed);
    if (segment_.has(tcp_rst))
        set_state(mine(), TcpState::reset);
    closes_ = segment_.has(tcp_fin) || segment_.has(tcp_rst);
}

void Step::state_of_established() {
    if (segment_.has(tcp_syn) && !segment_.has(tcp_ack) && mine().state == TcpState::partial &&
        other().state == TcpState::inactive)
        set_state(mine(), TcpState::syn_sent);
    if (segment_.has(tcp_fin) && !segment_.has(tcp_rst)) {
        set_state(mine(), TcpState::closed);
        // FIN, then RST: after our FIN that was a normal end.
        if (other().state == TcpState::reset && other().before == TcpState::closed)
            set_state(other(), TcpState::closed);
        closes_ = true;
    }
    if (segment_.has(tcp_rst)) {
        set_state(mine(), TcpState::reset);
        closes_ = true;
    }
}

void Step::state_of_closed() {
    if (!segment_.has(tcp_rst) || other().state == TcpState::closed)
        return;
    set_state(mine(), TcpState::reset);
    if (!mine().did_close)
        closes_ = true;
}

void Step::move_state() {
    switch (mine().state) {
        case TcpState::inactive:
            state_of_inactive();
            break;
        case TcpState::syn_sent:
        case TcpState::syn_ack_sent:
            state_of_syn_sent();
            break;
        case TcpState::established:
        case TcpState::partial:
            state_of_established();
            break;
        case TcpState::closed:
            state_of_closed();
            break;
        case TcpState::reset:
            break;
    }
}

void Step::check_end(unsigned s) {
    Side& side = flow_.side[s];
    const bool over =
        side.fins > 0 || side.state == TcpState::closed || side.state == TcpState::reset;
    if (side.did_end || !over || stream_pending(flow_, s))
        return;
    side.did_end = true;
    if (flow_.close_deferred)
        close(s);
}

void Step::close(unsigned s) {
    Side& side = flow_.side[s];
    const Side& peer = flow_.side[s ^ 1U];
    if (stream_pending(flow_, s)) {
        flow_.close_deferred = true;
        return;
    }
    flow_.close_deferred = false;
    if (side.did_close)
        return;
    side.did_close = true;
    const bool complete =
        side.state == TcpState::reset || peer.did_close || peer.state == TcpState::inactive;
    if (complete) {
        flow_.attempt_armed = false;
        flow_.closing = true;
        flow_.due_ns = now_ns_ + times_.close_ns;
    }
}

unsigned Step::run() {
    note_partial();
    std::uint32_t length = segment_.has(tcp_rst) ? 0 : packet_.payload_bytes;
    length += (segment_.has(tcp_syn) ? 1U : 0U) + (segment_.has(tcp_fin) ? 1U : 0U);
    const std::uint32_t end = packet_.sequence + length;
    note_first_sequence(end);
    bool underflow = false;
    const std::uint64_t at =
        relative(mine(), packet_.sequence, mine().last_sequence, mine().last_wraps, underflow);
    note_history(at);
    if (segment_.has(tcp_fin)) {
        if (mine().fins < 255)
            ++mine().fins;
        flow_.more[me_].fin_sequence = static_cast<std::uint32_t>(at + length);
    }
    std::uint64_t acknowledged = 0;
    if (segment_.has(tcp_ack))
        acknowledged = note_acknowledged();
    note_last(end);
    move_state();
    if (segment_.has(tcp_ack)) {
        if (stream_acknowledged(flow_, me_ ^ 1U, acknowledged))
            check_end(me_ ^ 1U);
        if (!flow_.handshake_seen && from_originator() && !segment_.has(tcp_syn) &&
            (flow_.once & (1U << Once::syn)) != 0 && (flow_.once & (0x100U << Once::syn)) != 0) {
            flow_.handshake_seen = true;
            flow_.handshake_us = microseconds(now_ns_ - flow_.start_ns);
        }
    }
    mine().seen = true;
    if (packet_.payload_bytes > 0 && !segment_.has(tcp_rst) && !underflow)
        stream_payload(flow_, me_, segment_.has(tcp_syn) ? at + 1 : at, packet_.payload_bytes);
    check_end(me_);
    if (closes_)
        close(me_);
    return me_;
}

}  // namespace

unsigned tcp_packet(Flow& flow, unsigned from, const Packet& packet, UnixNanos now_ns,
                    const TcpTimes& times) {
    return Step(flow, from, packet, now_ns, times).run();
}

}  // namespace amoskys::flow
