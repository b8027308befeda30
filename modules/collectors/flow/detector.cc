#include "modules/collectors/flow/detector.h"

#include <algorithm>

#include "core/base/text.h"
#include "modules/collectors/flow/tls.h"

namespace amoskys::flow {
namespace {

std::string safe(std::string_view text) {
    // What is printable may be four times as long.
    std::string out = printable(text.substr(0, Detector::max_text));
    if (out.size() > Detector::max_text) {
        std::size_t end = Detector::max_text;
        while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0U) == 0x80U)
            --end;
        out.resize(end);
    }
    return out;
}

Service of_tunnel(Tunnel tunnel) {
    switch (tunnel) {
        case Tunnel::vxlan:
            return Service::vxlan;
        case Tunnel::geneve:
            return Service::geneve;
        case Tunnel::gtp:
            return Service::gtp;
        case Tunnel::teredo:
            return Service::teredo;
        default:
            return Service::none;
    }
}

Service identify(const Packet& packet) {
    const Ports ports{packet.source_port, packet.destination_port};
    if (packet.key.protocol == protocol_tcp)
        return service_of_tcp(packet.payload, ports);
    if (packet.key.protocol != protocol_udp)
        return Service::none;
    const Service carried = of_tunnel(packet.carries);
    return carried != Service::none ? carried : service_of_udp(packet.payload, ports);
}

bool has_details(Service service) {
    return service == Service::tls || service == Service::http || service == Service::dns ||
           service == Service::netbios || service == Service::ssh;
}

}  // namespace

void Detector::payload(Flow& flow, unsigned side, const Packet& packet) {
    if (flow.detected || packet.payload.empty())
        return;
    if (flow.service == 0) {
        const Service found = identify(packet);
        flow.service = static_cast<std::uint8_t>(found);
        if (found == Service::none) {
            flow.detected =
                ++flow.unknown_payloads >= max_unknown ||
                (packet.key.protocol != protocol_tcp && packet.key.protocol != protocol_udp);
            return;
        }
        if (!has_details(found)) {
            flow.detected = true;
            return;
        }
    }
    Details* details = details_of(flow);
    if (details == nullptr) {
        flow.detected = true;
        return;
    }
    switch (static_cast<Service>(flow.service)) {
        case Service::tls:
            tls(flow, *details, side, packet.payload);
            break;
        case Service::http:
            http(flow, *details, packet.payload);
            break;
        case Service::ssh:
            ssh(flow, *details, side, packet.payload);
            break;
        default:
            dns(flow, *details, packet);
    }
    if (++details->looked >= max_packets || (details->client_done && details->server_done))
        done(flow, *details);
}

Detector::Details* Detector::details_of(Flow& flow) {
    if (flow.detection != no_flow)
        return &details_[flow.detection];
    if (free_ != no_flow) {
        flow.detection = free_;
        free_ = details_[free_].next_free;
    } else if (details_.size() < max_tracked) {
        flow.detection = static_cast<std::uint32_t>(details_.size());
        details_.emplace_back();
    } else {
        ++untracked_;
        return nullptr;
    }
    return &details_[flow.detection];
}

void Detector::drop_buffers(Details& details) {
    for (Bytes& bytes : details.hello) {
        if (bytes.empty())
            continue;
        --buffering_;
        bytes = Bytes();
    }
}

void Detector::done(Flow& flow, Details& details) {
    flow.detected = true;
    drop_buffers(details);
}

void Detector::forget(Flow& flow) {
    if (flow.detection == no_flow)
        return;
    Details& details = details_[flow.detection];
    drop_buffers(details);
    details = Details();
    details.next_free = free_;
    free_ = flow.detection;
    flow.detection = no_flow;
}

void Detector::tls(Flow&, Details& details, unsigned side, ByteView payload) {
    bool& side_done = side == 0 ? details.client_done : details.server_done;
    if (side_done)
        return;
    Bytes& kept = details.hello[side];
    if (!kept.empty()) {
        kept.insert(kept.end(), payload.begin(),
                    payload.begin() + static_cast<std::ptrdiff_t>(
                                          std::min(payload.size(), max_hello - kept.size())));
        payload = kept;
    }
    HelloState state = HelloState::none;
    if (side == 0) {
        ClientHello hello;
        state = client_hello(payload, hello);
        if (state == HelloState::found) {
            details.sni = safe(hello.sni);
            details.ja4 = ja4(hello, 't');
            if (details.alpn.empty() && !hello.alpn.empty())
                details.alpn = safe(hello.alpn.front());
        }
    } else {
        ServerHello hello;
        state = server_hello(payload, hello);
        if (state == HelloState::found) {
            details.tls_version = hello.version;
            if (!hello.alpn.empty())
                details.alpn = safe(hello.alpn);
        }
    }
    side_done = state != HelloState::more || kept.size() >= max_hello;
    if (!side_done && kept.empty() && buffering_ < max_buffering) {
        kept = to_bytes(payload.first(std::min(payload.size(), max_hello)));
        ++buffering_;
    }
}

void Detector::http(Flow&, Details& details, ByteView payload) {
    HttpHead head;
    if (!http_head(payload, head))
        return;
    if (head.request && !details.client_done) {
        details.client_done = true;
        details.method = head.method;
        details.host = safe(head.host);
        details.client_software = safe(head.agent);
    } else if (!head.request) {
        details.server_done = true;
        details.server_software = safe(head.server);
    }
}

void Detector::dns(Flow& flow, Details& details, const Packet& packet) {
    ByteView message = packet.payload;
    if (packet.key.protocol == protocol_tcp) {
        if (message.size() < 2)
            return;
        message = message.subspan(2);
    }
    std::string name;
    const bool netbios = static_cast<Service>(flow.service) == Service::netbios;
    if (!dns_question(message, netbios, name) || name.empty())
        return;
    name = safe(name);
    auto& names = details.names;
    if (names.size() < max_names && std::find(names.begin(), names.end(), name) == names.end())
        names.push_back(std::move(name));
}

void Detector::ssh(Flow&, Details& details, unsigned side, ByteView payload) {
    std::string& software = side == 0 ? details.client_software : details.server_software;
    if (software.empty())
        software = safe(ssh_banner(payload));
    (side == 0 ? details.client_done : details.server_done) = true;
}

void Detector::describe(const Flow& flow, messaging::FlowEvent& event) const {
    if (flow.service == 0)
        return;
    const std::string_view name = service_name(static_cast<Service>(flow.service));
    event.set_service(name.data(), name.size());
    if (flow.detection == no_flow)
        return;
    const Details& details = details_[flow.detection];
    event.set_sni(details.sni);
    event.set_alpn(details.alpn);
    event.set_ja4(details.ja4);
    event.set_host(details.host);
    event.set_http_method(details.method);
    event.set_client_software(details.client_software);
    event.set_server_software(details.server_software);
    if (details.tls_version != 0)
        event.set_tls_version(tls_version_text(details.tls_version));
    for (const std::string& one : details.names)
        event.add_dns_names(one);
}

}  // namespace amoskys::flow
