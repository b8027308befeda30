// One round of publishing through the agent's durable spool: what is signed is on this disk before
// it is sent. Used by bus_bench.cc.
#pragma once

#include <filesystem>

#include "bench/records.h"
#include "core/crypto/pki.h"

namespace amoskys::bench {

// Seconds from the first envelope signed to the last acknowledged.
double publish_through_spool(const std::filesystem::path& scratch, const crypto::PkiPaths& pki,
                             const std::vector<Batch>& batches);

}  // namespace amoskys::bench
