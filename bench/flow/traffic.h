// A capture file with as many live flows as wanted: recorded traces repeated with other addresses,
// the copies of each packet one after the other, so that all their flows go on at the same time; in
// one round, or in several with a share of the copies each, so that fewer do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace amoskys::bench {

struct TrafficPart {
    std::filesystem::path trace;
    std::uint32_t copies = 1;  // up to 65,536
};
struct Traffic {
    std::uint64_t packets = 0, bytes = 0;
};
struct TrafficPace {
    std::uint32_t rounds = 1;     // copies must be divisible by it
    std::uint32_t packet_us = 1;  // from one packet to the next
};
// Ethernet with IPv4; other frames are left out. Checksums that were right stay right.
Traffic write_traffic(const std::vector<TrafficPart>& parts, const TrafficPace& pace,
                      const std::filesystem::path& file);

}  // namespace amoskys::bench
