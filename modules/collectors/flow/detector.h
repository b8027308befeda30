// Finds the application of a flow from its first payloads and keeps what they say: TLS name, ALPN,
// version and JA4, HTTP host and method, DNS names, SSH banners. Belongs to the capture thread.
// Bounds: max_tracked flows with details at a time (further ones stay without, counted), texts of
// 256 bytes, 8 DNS names, 16 payload packets looked at, 8 KiB of a ClientHello in pieces, of at
// most max_buffering flows at once. All texts are printable UTF-8.
#pragma once

#include <string>
#include <vector>

#include "modules/collectors/flow/application.h"
#include "modules/collectors/flow/engine.h"
#include "proto/messaging_schema.pb.h"

namespace amoskys::flow {

class Detector final : public PayloadReader {
  public:
    static constexpr std::size_t max_tracked = 65536, max_buffering = 1024;
    static constexpr std::size_t max_text = 256, max_names = 8, max_hello = 8192;
    static constexpr unsigned max_packets = 16, max_unknown = 4;

    void payload(Flow& flow, unsigned side, const Packet& packet) override;
    void forget(Flow& flow) override;
    // Adds what is known of the flow.
    void describe(const Flow& flow, messaging::FlowEvent& event) const;
    std::uint64_t untracked() const { return untracked_; }

  private:
    struct Details {
        std::string sni, alpn, ja4, host, method, client_software, server_software;
        std::vector<std::string> names;
        std::uint16_t tls_version = 0;
        std::uint8_t looked = 0;  // packets
        bool client_done = false, server_done = false;
        std::array<Bytes, 2> hello;  // the start of a TLS stream in pieces
        std::uint32_t next_free = no_flow;
    };
    Details* details_of(Flow& flow);
    void done(Flow& flow, Details& details);
    void drop_buffers(Details& details);
    void tls(Flow& flow, Details& details, unsigned side, ByteView payload);
    void http(Flow& flow, Details& details, ByteView payload);
    void dns(Flow& flow, Details& details, const Packet& packet);
    void ssh(Flow& flow, Details& details, unsigned side, ByteView payload);

    std::vector<Details> details_;
    std::uint32_t free_ = no_flow;
    std::size_t buffering_ = 0;
    std::uint64_t untracked_ = 0;
};

}  // namespace amoskys::flow
