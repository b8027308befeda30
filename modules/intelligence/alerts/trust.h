// How far a device is to be trusted, from its alerts, with the earlier system's arithmetic. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/module/alert.h"

namespace amoskys::alerts {

// trust = 1 - 0.1 x alerts of the last hour - 0.05 x alerts with a score above 0.5, not below 0;
// behaviour = 0.2 for each different rule of the last hour, at most 1; compliant: no alert of the
// last hour is of a rule of the pattern `cleartext` (a login without encryption).
// Alerts that are resolved, or labelled normal, do not count. "The last hour" ends with the newest
// alert of all devices: there is no clock here.
struct DeviceTrust {
    std::string device;
    double trust = 1, behaviour = 0;
    bool compliant = true;
    std::uint64_t open_alerts = 0, last_hour = 0;
    UnixNanos last_ns = 0;
    // high below a trust of 0.7, medium below 0.8, else low.
    std::string_view risk() const { return trust < 0.7 ? "high" : trust < 0.8 ? "medium" : "low"; }
};

// In order of trust, the least trusted first, then by name.
std::vector<DeviceTrust> device_trust(const std::vector<module::Alert>& alerts);

}  // namespace amoskys::alerts
