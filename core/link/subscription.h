// A session's SUBSCRIBE: where it stands, what it may be sent, and why it waits. Sans-io; part of
// ServerSession (session_subscribe.cc), which hands out one ReadStep at a time and takes its
// result.
#pragma once

#include <memory>
#include <string>

#include "core/link/cursor_table.h"
#include "core/link/deliver_read.h"

namespace amoskys::link {

struct Subscription {
    using Time = std::chrono::steady_clock::time_point;

    std::uint64_t request_id = 0;
    std::string cursor;  // "" = none is kept
    std::shared_ptr<DeliverFilter> filter;
    std::vector<std::string> devices;  // of the trust map when it began
    bool ready = false;                // ACK is out: reading may begin
    bool reading = false;              // a step is with the reader thread
    bool at_end = false;               // nothing more to read until the log grows
    bool grew = false;                 // it did while a step was under way
    bool position_new = true;          // PROGRESS has not told `next` yet
    WalOffset next;                    // 0: by from_time_ns
    UnixNanos from_time_ns = 0;
    WalOffset told;  // the subscriber may commit up to here
    WalOffset newest;
    std::uint64_t envelopes_limit = 0, bytes_limit = 0;  // credit, from SUBSCRIBE on
    std::uint64_t sent_envelopes = 0, sent_bytes = 0;
    std::uint64_t starved_bytes = 0;  // the next envelope needs so much credit
    bool said_waiting = false;
    Time blocked_since{};  // without credit although there is more; 0 = not
    Time progress_at{};

    std::uint64_t lag() const {
        const auto at = next.value == 0 ? 1 : next.value;
        return newest.value >= at ? newest.value - at + 1 : 0;
    }
    bool has_credit() const {
        return sent_envelopes < envelopes_limit && sent_bytes < bytes_limit &&
               (starved_bytes == 0 || bytes_limit - sent_bytes >= starved_bytes);
    }
};

}  // namespace amoskys::link
