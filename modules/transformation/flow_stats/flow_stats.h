// The flow_stats extractor: what the flows that ended in a window say.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "core/module/extractor.h"

namespace amoskys::flow_stats {

// Flows from one source to one target port at such regular times look like a beacon; fewer say
// nothing.
inline constexpr std::size_t fewest_beacons = 4;

// Order = order of the columns.
enum class Feature : std::size_t {
    count,
    begun,
    bytes_sent,
    bytes_recv,
    packets_sent,
    packets_recv,
    sent_share,
    bytes_mean,
    duration_mean,
    unique_sources,
    unique_peers,
    unique_ports,
    source_entropy,
    peer_entropy,
    port_entropy,
    tcp_share,
    udp_share,
    syn_share,
    failed_share,
    scan_ports,
    scan_hosts,
    beacon
};
inline constexpr std::size_t feature_count = 22;
extern const std::array<module::FeatureForm, feature_count> catalogue;

std::unique_ptr<module::Extractor> make_extractor(module::ColumnTable& columns,
                                                  const module::ExtractorSettings& settings);

}  // namespace amoskys::flow_stats
