// What a process or flow event says, as plain data without texts: what etl orders, keeps and cuts
// into windows, and what the extractors of processes and flows look at. NaN = was not measured.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include "core/base/clock.h"

namespace amoskys::module {

// A process as it was seen at one time, or something that happened to it.
struct ProcessSample {
    enum class Kind : std::uint8_t {
        seen,       // in a scan
        started,    // fork, or new in a scan
        executed,   // became another program
        ended,      // EXIT
        suspicious  // a security observation; of the rest only `time_ns` is there
    };
    UnixNanos time_ns = 0;
    std::uint64_t process = 0;  // the same in all events of one process, and of no other
    std::uint64_t name = 0;     // of the program: the same for the same name; 0 = unknown
    double cpu_percent = missing, rss_bytes = missing;
    double threads = missing, files = missing, sockets = missing;
    double lifetime_s = missing;  // of one that ended
    Kind kind = Kind::seen;

    static constexpr double missing = std::numeric_limits<double>::quiet_NaN();
};

// A flow that ended, or one piece of a long one.
struct FlowSample {
    UnixNanos time_ns = 0;                 // last packet
    UnixNanos start_ns = 0;                // first packet
    std::uint64_t source = 0, target = 0;  // addresses: the same for the same address
    double bytes_sent = missing, bytes_recv = missing;
    double packets_sent = missing, packets_recv = missing;
    std::uint16_t source_port = 0, target_port = 0;
    bool is_tcp = false;
    bool is_udp = false;
    bool has_state = false;  // the flow's state is known, so that the next two say something
    bool failed = false;     // refused, or never answered
    bool only_syn = false;   // a TCP attempt without more: SYN, and no ACK by its sender
    bool begins = true;      // its first piece

    static constexpr double missing = std::numeric_limits<double>::quiet_NaN();
};

static_assert(std::is_trivially_copyable_v<ProcessSample>);
static_assert(std::is_trivially_copyable_v<FlowSample>);

}  // namespace amoskys::module
