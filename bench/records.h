// The work of all benchmarks: DeviceTelemetry records in the form in which `agent snmp` writes
// them, alone and in batches, and signed envelopes around them. Used by the programs of bench/
// only. Pure but for the signing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/wire/builder.h"

namespace amoskys::bench {

// A serialized record of one device with `metrics` numeric metrics of an interface table.
std::string record(std::uint64_t number, std::size_t metrics);
// A TelemetryBatch of consecutive records of 29 metrics, as many as stay below the batch limit of
// the agents.
struct Batch {
    std::string payload;
    std::size_t records = 0;
};
Batch batch(std::uint64_t first_number);

inline constexpr std::size_t record_metrics = 29;
inline constexpr std::size_t batch_bytes_max = 114'688;

struct Signed {
    std::vector<std::string> envelopes;
    std::size_t records = 0, bytes = 0;
};
Signed signed_batches(wire::EnvelopeBuilder& lane, std::size_t count);
Signed signed_records(wire::EnvelopeBuilder& lane, std::size_t count, std::size_t metrics);

}  // namespace amoskys::bench
