// The kernel's process events connector: its messages (decoder, no I/O) and its socket.
//
// A datagram holds netlink messages; each (native byte order):
//
//   nlmsghdr 16 | idx 4 = 1, val 4 = 1, seq 4, ack 4, len 2, flags 2 | what 4, cpu 4, time 8, data
//   24
//
// seq counts the messages of one CPU, so that a gap says how many are lost (and not which).
// Source: include/uapi/linux/cn_proc.h; drivers/connector/cn_proc.c. Of use in
// the initial pid and network namespaces only, and before Linux 6.6 with CAP_NET_ADMIN only.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "core/base/bytes.h"
#include "modules/collectors/proc/life_cycle.h"

namespace amoskys::proc {

class ConnectorDecoder {
  public:
    static constexpr std::uint32_t max_cpus = 8192;
    // token: what the request to listen has as its ack; its answer has one more.
    explicit ConnectorDecoder(std::uint32_t token = 0) : token_(token) {}
    // Threads, renames, sessions and core dumps are counted as received and give no event.
    void decode(ByteView datagram, std::vector<LifeCycleEvent>& out);
    void overrun() { ++counts_.overruns; }
    const LifeCycleCounts& counts() const { return counts_; }
    // The answer to a request to listen, once: 0 or an errno.
    std::optional<std::uint32_t> take_answer();

  private:
    void decode_event(ByteView whole, std::vector<LifeCycleEvent>& out);
    void follow(std::uint32_t cpu, std::uint32_t sequence);

    std::uint32_t token_;
    LifeCycleCounts counts_;
    std::vector<std::optional<std::uint32_t>> last_;  // sequence by CPU
    std::optional<std::uint32_t> answer_;
};

// Listens. permission or unavailable where this process may not: the message says what is needed.
Result<std::unique_ptr<LifeCycleSource>> open_connector(std::uint64_t buffer_bytes);

}  // namespace amoskys::proc
