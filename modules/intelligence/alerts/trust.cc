#include "modules/intelligence/alerts/trust.h"

#include <algorithm>
#include <map>
#include <set>

namespace amoskys::alerts {
namespace {

constexpr UnixNanos hour_ns = 3'600'000'000'000ULL;
constexpr std::string_view in_clear = "cleartext";

}  // namespace

std::vector<DeviceTrust> device_trust(const std::vector<module::Alert>& alerts) {
    UnixNanos newest = 0;
    for (const module::Alert& alert : alerts)
        newest = std::max(newest, alert.last_ns);
    struct Tally {
        DeviceTrust found;
        std::uint64_t serious = 0;
        std::set<std::string> rules;
    };
    std::map<std::string, Tally> tallies;
    for (const module::Alert& alert : alerts) {
        if (alert.state == module::Alert::State::resolved || alert.label == "normal")
            continue;
        const bool recent = alert.last_ns + hour_ns >= newest;
        for (const std::string& device : alert.devices) {
            Tally& tally = tallies[device];
            tally.found.open_alerts += alert.state == module::Alert::State::open ? 1 : 0;
            tally.found.last_ns = std::max(tally.found.last_ns, alert.last_ns);
            tally.serious += alert.score > 0.5 ? 1 : 0;
            if (!recent)
                continue;
            ++tally.found.last_hour;
            tally.rules.insert(alert.rule);
            tally.found.compliant &= alert.pattern != in_clear;
        }
    }
    std::vector<DeviceTrust> out;
    for (auto& [device, tally] : tallies) {
        DeviceTrust& found = tally.found;
        found.device = device;
        found.trust = std::max(0.0, 1 - 0.1 * static_cast<double>(found.last_hour) -
                                        0.05 * static_cast<double>(tally.serious));
        found.behaviour = std::min(1.0, 0.2 * static_cast<double>(tally.rules.size()));
        out.push_back(std::move(found));
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const DeviceTrust& a, const DeviceTrust& b) { return a.trust < b.trust; });
    return out;
}

}  // namespace amoskys::alerts
