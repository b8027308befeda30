#include "modules/collectors/flow/engine.h"

#include <algorithm>

#include "modules/collectors/flow/direction.h"

namespace amoskys::flow {
namespace {

// A TCP flow that nothing but a bad checksum or a closed half is known of.
constexpr UnixNanos nothing_known_ns = 11'000'000'000, half_closed_ns = 6'000'000'000;
constexpr UnixNanos second_ns = 1'000'000'000;
constexpr unsigned max_nested_fragments = 3;

bool in_handshake(TcpState state) {
    return state == TcpState::inactive || state == TcpState::syn_sent ||
           state == TcpState::syn_ack_sent;
}

}  // namespace

Engine::Engine(const EngineOptions& options, FlowSink& sink, PayloadReader* reader)
    : options_(options),
      sink_(sink),
      reader_(reader),
      decoder_(options.verify_checksums),
      table_(options.max_flows),
      least_idle_ns_(std::min({options.tcp_idle_ns, options.udp_idle_ns, options.dns_idle_ns,
                               options.icmp_idle_ns, nothing_known_ns, half_closed_ns})) {}

void Engine::frames(std::span<const Frame> batch) {
    while (!batch.empty()) {
        const std::size_t size = std::min(batch.size(), batch_frames);
        chunk(batch.first(size));
        batch = batch.subspan(size);
    }
}

// In three passes, so that the memory of one packet is fetched while others are worked on.
void Engine::chunk(std::span<const Frame> batch) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
        decoder_.decode(batch[i].data, batch[i].wire_bytes, batch[i].link, decoded_[i]);
        for (std::size_t p = 0; p < decoded_[i].count; ++p) {
            hashes_[i][p] = hash_key(decoded_[i].packets[p].key, options_.hash_secret);
            table_.prefetch_index(hashes_[i][p]);
        }
    }
    for (std::size_t i = 0; i < batch.size(); ++i)
        for (std::size_t p = 0; p < decoded_[i].count; ++p)
            table_.prefetch_flow(hashes_[i][p]);
    for (std::size_t i = 0; i < batch.size(); ++i)
        frame(batch[i], decoded_[i], hashes_[i]);
}

void Engine::frame(const Frame& frame, Decoded& decoded, std::span<const std::uint64_t> hashes) {
    ++stats_.frames;
    stats_.frame_bytes += frame.wire_bytes;
    advance(frame.time_ns, due_per_frame);
    for (std::size_t i = 0; i < decoded.count; ++i)
        packet(decoded.packets[i], hashes[i], frame);
    if (decoded.verdict == Verdict::fragment)
        reassemble(frame, decoded);
    else if (decoded.count == 0)
        ++stats_.verdict[static_cast<std::size_t>(decoded.verdict)];
}

void Engine::reassemble(const Frame& frame, Decoded& decoded) {
    for (unsigned i = 0; i < max_nested_fragments && decoded.verdict == Verdict::fragment; ++i) {
        ++stats_.fragments;
        const Fragments::Whole whole = fragments_.add(decoded.fragment, now_ns_);
        stats_.datagrams_given_up = fragments_.given_up();
        if (whole.first == nullptr)
            return;
        ++stats_.datagrams;
        decoder_.decode_datagram(*whole.first, whole.data, decoded);
        for (std::size_t p = 0; p < decoded.count; ++p)
            packet(decoded.packets[p], hash_key(decoded.packets[p].key, options_.hash_secret),
                   frame);
    }
}

void Engine::advance(UnixNanos now_ns, std::size_t limit) {
    if (now_ns <= now_ns_ && !behind_)
        return;
    now_ns_ = std::max(now_ns_, now_ns);
    now_s_ = now_ns_ / second_ns;
    for (std::size_t i = 0; i < limit; ++i) {
        const std::uint32_t due = table_.next_due(now_ns_);
        behind_ = due != no_flow;
        if (!behind_)
            return;
        look_at(due);
    }
}

void Engine::look_at(std::uint32_t index) {
    Flow& flow = table_.at(index);
    EndReason reason{};
    if (is_over(flow, reason)) {
        end(index, reason);
        return;
    }
    if (!flow.closing && now_ns_ - flow.begin_ns() >= options_.active_ns)
        interim(flow);
    set_look(flow);
    table_.schedule(index, due_ns(flow));
}

// Rounded down, and to "now" where it does not fit: an early look finds nothing to do.
void Engine::set_look(Flow& flow) const {
    UnixNanos look = flow.closing ? flow.due_ns : flow.begin_ns() + options_.active_ns;
    if (flow.attempt_armed)
        look = std::min(look, flow.due_ns);
    const std::uint64_t second = look / second_ns;
    flow.look_s = second <= 0xffffffff ? static_cast<std::uint32_t>(second) : 0;
}

UnixNanos Engine::idle_ns(const Flow& flow) const {
    if (flow.key.protocol == protocol_udp) {
        const bool dns = flow.key.low_port == 53 || flow.key.high_port == 53;
        return dns ? options_.dns_idle_ns : options_.udp_idle_ns;
    }
    if (flow.key.protocol != protocol_tcp)
        return options_.icmp_idle_ns;
    const Side& a = flow.side[0];
    const Side& b = flow.side[1];
    const bool a_silent = a.state == TcpState::inactive, b_silent = b.state == TcpState::inactive;
    if (a_silent && b_silent)
        return nothing_known_ns;
    const bool one_reset = a.state == TcpState::reset || b.state == TcpState::reset;
    if ((a.did_close || b.did_close) && (one_reset || a_silent || b_silent))
        return half_closed_ns;
    // Nothing but a handshake: as short as a datagram's.
    return in_handshake(a.state) && in_handshake(b.state)
               ? std::min(options_.tcp_idle_ns, options_.udp_idle_ns)
               : options_.tcp_idle_ns;
}

UnixNanos Engine::due_ns(const Flow& flow) const {
    if (flow.closing)
        return flow.due_ns;
    UnixNanos due = std::min(flow.last_ns + idle_ns(flow), flow.begin_ns() + options_.active_ns);
    if (flow.attempt_armed)
        due = std::min(due, flow.due_ns);
    return due;
}

bool Engine::is_over(Flow& flow, EndReason& reason) const {
    if (flow.closing) {
        reason = EndReason::closed;
        return now_ns_ >= flow.due_ns;
    }
    if (flow.attempt_armed && now_ns_ >= flow.due_ns) {
        flow.attempt_armed = false;
        if (in_handshake(flow.side[0].state) && flow.side[1].state == TcpState::inactive) {
            reason = EndReason::attempt;
            return true;
        }
    }
    reason = EndReason::idle;
    return now_ns_ >= flow.last_ns + idle_ns(flow);
}

void Engine::end(std::uint32_t index, EndReason reason) {
    Flow& flow = table_.at(index);
    ++stats_.records;
    sink_.record(flow, reason);
    if (reader_ != nullptr)
        reader_->forget(flow);
    table_.erase(index);
}

void Engine::interim(Flow& flow) {
    ++flow.part;
    ++stats_.records;
    sink_.record(flow, EndReason::active);
    for (unsigned side = 0; side < 2; ++side) {
        SideMore& more = flow.more[side];
        more.reported_payload = payload_size(flow, side);
        more.missed_bytes = 0;
        more.retransmitted_bytes = 0;
        flow.side[side].packets = flow.side[side].ip_bytes = 0;
    }
    flow.begin_s = static_cast<std::uint32_t>((now_ns_ - flow.start_ns) / 1'000'000'000);
}

bool Engine::finish(std::size_t limit) {
    for (std::size_t ended = 0; finished_ < table_.slots() && ended < limit; ++finished_) {
        if (table_.in_use(finished_)) {
            end(finished_, EndReason::end);
            ++ended;
        }
    }
    return table_.size() == 0;
}

void Engine::evict() {
    std::uint32_t idlest = no_flow, unanswered = no_flow;
    const auto slots = static_cast<std::uint32_t>(table_.slots());
    for (std::size_t i = 0; i < std::min<std::size_t>(evict_sample, slots); ++i) {
        hand_ = hand_ + 1 < slots ? hand_ + 1 : 0;
        if (!table_.in_use(hand_))
            continue;
        const Flow& flow = table_.at(hand_);
        if (flow.closing) {
            ++stats_.evicted_closing;
            end(hand_, EndReason::evicted);
            return;
        }
        if (idlest == no_flow || flow.last_ns < table_.at(idlest).last_ns)
            idlest = hand_;
        if (!flow.answered &&
            (unanswered == no_flow || flow.start_ns < table_.at(unanswered).start_ns))
            unanswered = hand_;
    }
    if (now_ns_ - table_.at(idlest).last_ns >= evict_idle_ns) {
        ++stats_.evicted_idle;
        end(idlest, EndReason::evicted);
    } else if (unanswered != no_flow) {
        ++stats_.evicted_unanswered;
        end(unanswered, EndReason::evicted);
    } else {
        ++stats_.evicted_active;
        end(idlest, EndReason::evicted);
    }
}

std::uint32_t Engine::open(const Packet& packet, std::uint64_t hash, const Frame& frame) {
    if (table_.full())
        evict();
    const std::uint32_t index = table_.insert(packet.key, hash);
    Flow& flow = table_.at(index);
    flow.originator_is_low = packet.source_is_low;
    flow.start_ns = flow.last_ns = now_ns_;
    set_look(flow);
    flow.layers = packet.layers;
    flow.interface = static_cast<std::uint8_t>(std::min<std::uint32_t>(frame.interface, 255));
    ++stats_.flows;
    if (from_responder(packet))
        turn(flow);
    return index;
}

void Engine::packet(const Packet& packet, std::uint64_t hash, const Frame& frame) {
    std::uint32_t index = table_.find(packet.key, hash);
    bool is_new = index == no_flow;
    if (!is_new) {
        Flow& flow = table_.at(index);
        EndReason reason{};
        const bool look = now_s_ >= flow.look_s || now_ns_ - flow.last_ns >= least_idle_ns_;
        if (look && is_over(flow, reason)) {
            is_new = true;
        } else if (packet.key.protocol == protocol_tcp && tcp_is_reuse(flow, packet)) {
            is_new = true;
            reason = EndReason::reused;
        } else if (look) {
            if (!flow.closing && now_ns_ - flow.begin_ns() >= options_.active_ns)
                interim(flow);
            set_look(flow);
        }
        if (is_new)
            end(index, reason);
    }
    if (is_new)
        index = open(packet, hash, frame);
    Flow& flow = table_.at(index);
    const bool by_originator = flow.originator_is_low == packet.source_is_low;
    const unsigned from = by_originator ? 0 : 1;
    if (packet.bad_checksum) {
        ++stats_.bad_checksums;
        if (packet.key.protocol == protocol_tcp || packet.key.protocol == protocol_udp)
            add_scaled(flow, from, 'C', flow.more[from].bad_checksums);
    } else {
        count(index, from, packet);
    }
    if (is_new)
        table_.schedule(index, due_ns(flow));
}

void Engine::count(std::uint32_t index, unsigned side, const Packet& packet) {
    Flow& flow = table_.at(index);
    ++stats_.packets;
    if (packet.key.protocol == protocol_tcp) {
        const bool was_closing = flow.closing, was_armed = flow.attempt_armed;
        flow.last_ns = now_ns_;
        side = tcp_packet(flow, side, packet, now_ns_, options_.tcp);
        if (flow.closing != was_closing || flow.attempt_armed != was_armed)
            set_look(flow);
        if (flow.closing != was_closing || (flow.attempt_armed && !was_armed))
            table_.schedule(index, due_ns(flow));
    } else {
        flow.last_ns = now_ns_;
        if (packet.key.protocol == protocol_udp)
            add_once(flow, side, once_data, 'D');
        flow.side[side].active = true;
        flow.side[side].payload_bytes += packet.payload_bytes;
    }
    Side& counted = flow.side[side];
    if (counted.ttl == 0)
        counted.ttl = packet.ttl;
    ++counted.packets;
    counted.ip_bytes += packet.ip_bytes;
    counted.flags_seen |= packet.tcp_flags;
    if (!flow.answered && counted.packets == 1 && flow.side[side ^ 1U].packets != 0) {
        flow.answered = true;
        flow.reply_delay_us = microseconds(now_ns_ - flow.start_ns);
    }
    if (reader_ != nullptr && packet.payload_bytes > 0 && !flow.detected)
        reader_->payload(flow, side, packet);
}

}  // namespace amoskys::flow
