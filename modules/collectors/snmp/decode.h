// From what a poll read to the product's messages: one or more DeviceTelemetry per device and
// cycle. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/base/clock.h"
#include "modules/collectors/snmp/derive.h"
#include "modules/collectors/snmp/identity.h"
#include "modules/collectors/snmp/poll.h"
#include "proto/universal_telemetry.pb.h"

namespace amoskys::snmp {

// A record stays below this when serialised, so that several fit one envelope of 131072 bytes.
inline constexpr std::size_t max_record_bytes = 96 * 1024;
// Longer texts are cut there and carry the label truncated_bytes = their whole length.
inline constexpr std::size_t max_text_bytes = 8 * 1024;

struct DeviceContext {
    std::string device_id;
    std::string address;    // as dialled, numeric
    UnixNanos time_ns = 0;  // when the device first answered
    std::uint64_t interval_ms = 0;
    std::string_view security;  // snmpv3-authPriv and the like; "snmpv2c"
    bool encrypted = false;
    double response_time_ms = 0;         // of its first answer
    std::string previous_status;         // of the poll before; empty at the first one
    UnixNanos since_ns = 0;              // when the status last changed; 0 = at time_ns
    double at_s = 0;                     // of this reading, by a clock that never goes back
    const RateMemory* before = nullptr;  // the reading before, for rates; null = none
    const Identity* identity = nullptr;  // who the device is; null = not known
};

struct Decoded {
    std::vector<messaging::DeviceTelemetry>
        records;                          // the first one has metadata and the status event
    std::size_t metrics = 0;              // events of kind METRIC
    std::vector<std::string> missing;     // stored metrics of the profile with no value at all
    std::vector<std::string> unreadable;  // metrics with a value that was not what the profile says
};

// "online", or "partial" where the poll was cut short.
std::string_view status_of(const PollResult& result);

// What has no value gives no event.
Decoded decode(const Profile& profile, const PollResult& result, const DeviceContext& device);

// The record of a device that does not answer: its status alone.
messaging::DeviceTelemetry offline_record(const DeviceContext& device, std::string_view reason);

}  // namespace amoskys::snmp
