// One bounded look into the log for a subscriber: from where, at most how much, and the DELIVER
// frames that came of it. Runs on the bus's reader thread, so that neither a slow disk nor a costly
// filter holds up the sessions; the session makes the step and takes the result (subscription.h).
//
// Bounds of a step: max_envelopes, max_bytes (of envelopes; the first is given whatever its size
// where the credit allows it), 20 ms. A read transaction of the log ends within one.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/link/deliver_filter.h"
#include "core/wal/log.h"

namespace amoskys::link {

inline constexpr auto read_step_time = std::chrono::milliseconds(20);

struct ReadStep {
    std::uint64_t request_id = 0;  // of SUBSCRIBE, for the frames
    WalOffset from;                // 0: the first record received at or after from_time_ns
    UnixNanos from_time_ns = 0;
    std::shared_ptr<DeliverFilter> filter;
    std::uint64_t max_envelopes = 0;
    std::uint64_t credit_bytes = 0;  // an envelope above it is not given: starved
    std::uint64_t max_bytes = 0;
};

struct ReadResult {
    std::string frames;
    WalOffset next;            // where the next step goes on
    WalOffset oldest, newest;  // of the log, before the step
    std::uint64_t envelopes = 0, bytes = 0;
    std::uint64_t damaged = 0;        // not given: not what was signed, or too large for a frame
    std::uint64_t starved_bytes = 0;  // size of the next envelope, where the credit is less
    bool at_end = false;
    std::optional<Error> error;
};

ReadResult read_step(wal::Log& log, const ReadStep& step);

// Offset of the first record received at or after `time_ns`: one behind the newest where there is
// none. O(log n) reads of one record.
Result<WalOffset> find_received(wal::Log& log, UnixNanos time_ns);

}  // namespace amoskys::link
