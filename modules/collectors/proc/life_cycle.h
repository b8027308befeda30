// What happens to processes, as the kernel tells it: the seam between the agent and its sources.
// The proc connector is one (connector.h), the tests have another; a tracing program (eBPF) would
// be a third. A source is used by one thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace amoskys::proc {

struct LifeCycleEvent {
    enum class Kind : std::uint8_t { fork, exec, exit, ids, ptrace };
    Kind kind = Kind::fork;
    std::uint32_t pid = 0;            // the process it is about (never a thread of one)
    std::uint32_t other = 0;          // fork: the parent; ptrace: the tracer, 0 = let go
    std::uint32_t uid = 0, euid = 0;  // ids: real and effective user after the change
    std::uint32_t status = 0;         // exit: as wait(2) gives it
    std::uint64_t time_ns = 0;        // CLOCK_MONOTONIC
};

struct LifeCycleCounts {
    std::uint64_t received = 0;   // messages
    std::uint64_t lost = 0;       // messages that the kernel sent and nobody received
    std::uint64_t overruns = 0;   // times the receive buffer was full
    std::uint64_t malformed = 0;  // messages that could not be read
};

class LifeCycleSource {
  public:
    virtual ~LifeCycleSource() = default;
    virtual std::string_view name() const = 0;  // ProcessEvent.observed_by: "CONNECTOR"
    virtual int descriptor() const = 0;         // readable (poll(2)) when there is something
    // Appends what is there, without waiting.
    virtual Result<> receive(std::vector<LifeCycleEvent>& out) = 0;
    virtual LifeCycleCounts counts() const = 0;
};

}  // namespace amoskys::proc
