// Where frames come from. A source belongs to the thread that pumps it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "modules/collectors/flow/engine.h"

namespace amoskys::flow {

struct CaptureCounts {
    std::uint64_t received = 0, dropped = 0, dropped_by_interface = 0;
};

class PacketSource {
  public:
    virtual ~PacketSource() = default;
    // Gives the engine what is there, for a bounded time (a file: one buffer; an interface: a
    // tenth of a second). False at the end of the input.
    virtual Result<bool> pump(Engine& engine) = 0;
    // Of each interface, since the start; empty for files.
    virtual std::vector<std::pair<std::string, CaptureCounts>> counts() = 0;
    virtual std::uint64_t filtered() const = 0;  // frames that the filter left out
};

// Capture files one after the other; "-" is stdin. All are opened, and the filter is compiled,
// before the first is read. A file that ends inside of a packet gives its flows and then the error
// partial "flow_cut_short"; one that is no capture file gives bad_data.
Result<std::unique_ptr<PacketSource>> open_files(const std::vector<std::string>& paths,
                                                 const std::string& filter);

struct LiveOptions {
    std::vector<std::string> interfaces;
    std::string filter;
    std::uint32_t snapshot_bytes = 65535;
    std::uint64_t buffer_bytes = 16U << 20U;  // of each interface, in the kernel
    bool promiscuous = true;
};
// Interfaces of this host. permission "flow_no_capability" without CAP_NET_RAW.
Result<std::unique_ptr<PacketSource>> open_live(const LiveOptions& options);

}  // namespace amoskys::flow
