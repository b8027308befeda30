// What `inspect top` shows, apart from where it comes from: two samples of counters give an object
// of rates (amoskys.top/1), and that a screen or a line. Pure.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "core/base/clock.h"
#include "core/json/json.h"

namespace amoskys::modules::inspect {

inline constexpr std::size_t top_alerts = 5;

struct TopAlert {
    UnixNanos time_ns = 0;
    std::string severity, device, text;
};

// Totals at a moment; what a source does not know is absent.
struct TopSample {
    struct Lane {
        std::uint64_t envelopes = 0, events = 0;
    };
    UnixNanos time_ns = 0;
    std::string source;         // "log /var/lib/amoskys/wal", "bus 127.0.0.1:50051"
    std::string health = "ok";  // or what is wrong
    double events = 0, envelopes = 0, bytes = 0;                   // accepted since some beginning
    double records = 0, log_bytes = 0, segments = 0, damaged = 0;  // as they are
    std::optional<double> oldest_seconds, free_bytes, queue_bytes, sessions, ack_p99_ms;
    std::map<std::string, Lane> lanes;       // "AGENT/LANE"
    std::map<std::string, double> lag;       // envelopes waiting at an agent
    std::map<std::string, double> cursors;   // records a subscriber is behind
    std::map<std::string, double> rejected;  // envelopes by reason, since some beginning
    std::deque<TopAlert> alerts;             // newest last
    std::string alerts_note;                 // why they are not known; empty where they are
};

// Rates are those between the two, 0 at first (`before` null).
Json top_json(const TopSample* before, const TopSample& now);
std::string top_line(const Json& top);
std::string top_screen(const Json& top, std::size_t width, std::size_t height);

}  // namespace amoskys::modules::inspect
