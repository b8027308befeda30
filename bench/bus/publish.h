// One round of publishing: a fresh bus, one link client, all envelopes of a lane. Used by
// bus_bench.cc.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/crypto/pki.h"

namespace amoskys::bench {

inline constexpr const char* agent = "edge-1";
inline constexpr const char* lane = "snmp";

struct Published {
    double seconds = 0;                // first sent to last acknowledged
    double bus_rss_anon_mb = 0;        // the most that was seen
    std::vector<double> latencies_ms;  // only at a rate
};
// rate_per_second 0 = as fast as it goes.
Published publish(const std::filesystem::path& scratch, const crypto::PkiPaths& pki,
                  const std::vector<std::string>& envelopes, double rate_per_second);

}  // namespace amoskys::bench
