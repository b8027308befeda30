#include "modules/collectors/flow/event.h"

#include "modules/collectors/flow/community_id.h"

namespace amoskys::flow {
namespace {

std::string protocol_text(std::uint8_t protocol) {
    switch (protocol) {
        case protocol_icmp:
            return "ICMP";
        case 2:
            return "IGMP";
        case protocol_tcp:
            return "TCP";
        case protocol_udp:
            return "UDP";
        case 50:
            return "ESP";
        case 51:
            return "AH";
        case protocol_icmp6:
            return "ICMP6";
        case 89:
            return "OSPF";
        case 103:
            return "PIM";
        case 112:
            return "VRRP";
        case protocol_sctp:
            return "SCTP";
        default:
            return std::to_string(protocol);
    }
}

void set_addresses(const Flow& flow, messaging::FlowEvent& out) {
    const FlowKey& key = flow.key;
    const bool low = flow.originator_is_low;
    out.set_src_ip(address_text(low ? key.low : key.high, key.version));
    out.set_dst_ip(address_text(low ? key.high : key.low, key.version));
    out.set_src_port(low ? key.low_port : key.high_port);
    out.set_dst_port(low ? key.high_port : key.low_port);
    out.set_protocol(protocol_text(key.protocol));
}

void set_counts(const Flow& flow, messaging::FlowEvent& out) {
    const auto& [sent, received] = flow.side;
    out.set_bytes_sent(sent.ip_bytes);
    out.set_bytes_recv(received.ip_bytes);
    out.set_packets_sent(sent.packets);
    out.set_packets_recv(received.packets);
    out.set_ip_bytes_sent(sent.ip_bytes);
    out.set_ip_bytes_recv(received.ip_bytes);
    const auto since_last = [&](unsigned side) {
        const std::uint64_t all = payload_size(flow, side);
        const std::uint64_t before = flow.more[side].reported_payload;
        return all > before ? all - before : 0;
    };
    out.set_payload_bytes_sent(since_last(0));
    out.set_payload_bytes_recv(since_last(1));
    if (sent.ttl != 0)
        out.set_ttl_sent(sent.ttl);
    if (received.ttl != 0)
        out.set_ttl_recv(received.ttl);
    if (flow.reply_delay_us != 0)
        out.set_reply_delay_ns(flow.reply_delay_us * std::uint64_t{1000});
}

void set_tcp(const Flow& flow, messaging::FlowEvent& out) {
    const auto& [sent, received] = flow.side;
    out.set_flags(static_cast<std::uint32_t>(sent.flags_seen | received.flags_seen));
    out.set_tcp_flags_sent(sent.flags_seen);
    out.set_tcp_flags_recv(received.flags_seen);
    out.set_missed_bytes_sent(flow.more[0].missed_bytes);
    out.set_missed_bytes_recv(flow.more[1].missed_bytes);
    out.set_retransmitted_bytes_sent(flow.more[0].retransmitted_bytes);
    out.set_retransmitted_bytes_recv(flow.more[1].retransmitted_bytes);
    if (flow.handshake_us != 0)
        out.set_handshake_ns(flow.handshake_us * std::uint64_t{1000});
}

void set_text(std::string_view text, std::string* out) {
    out->assign(text.data(), text.size());
}

}  // namespace

messaging::FlowEvent to_event(const Flow& flow, EndReason reason, const EventOptions& options) {
    messaging::FlowEvent out;
    set_addresses(flow, out);
    out.set_start_time(flow.start_ns);
    out.set_end_time(flow.last_ns);
    set_counts(flow, out);
    if (flow.key.protocol == protocol_tcp)
        set_tcp(flow, out);
    set_text(connection_state(flow), out.mutable_conn_state());
    set_text(flow.history.text(), out.mutable_history());
    set_text(end_reason_name(reason), out.mutable_end_reason());
    out.set_community_id(community_id(flow.key, options.community_seed));
    if (flow.part > 0)
        out.set_part(flow.part + (reason == EndReason::active ? 0U : 1U));
    if (flow.layers.vlan != Layers::no_vlan)
        out.set_vlan(flow.layers.vlan);
    if (flow.layers.inner_vlan != Layers::no_vlan)
        out.set_inner_vlan(flow.layers.inner_vlan);
    if (flow.layers.tunnels > 0)
        out.set_tunnel(flow.layers.tunnel_text());
    if (flow.interface < options.interfaces.size())
        out.set_interface(options.interfaces[flow.interface]);
    return out;
}

}  // namespace amoskys::flow
