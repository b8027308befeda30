#include "modules/transformation/etl/interfaces.h"

#include <algorithm>

namespace amoskys::etl {
namespace {

constexpr std::string_view traffic_prefix = "interface_traffic[";

// Of one device: the traffic entries, most first; equal ones by name.
std::vector<DeviceBaselines::const_iterator> ranked(const DeviceBaselines& device) {
    std::vector<DeviceBaselines::const_iterator> out;
    for (auto entry = device.begin(); entry != device.end(); ++entry)
        if (entry->first.starts_with(traffic_prefix))
            out.push_back(entry);
    const auto total = [](const module::Baseline& traffic) {
        return traffic.mean * static_cast<double>(traffic.count);
    };
    std::stable_sort(out.begin(), out.end(), [&](const auto& a, const auto& b) {
        return total(a->second) > total(b->second);
    });
    return out;
}

}  // namespace

std::string traffic_metric(std::string_view index) {
    return std::string(traffic_prefix) + std::string(index) + "]";
}

Baselines most_traffic(const Baselines& measured, std::size_t count) {
    Baselines out;
    for (const auto& [device, metrics] : measured) {
        auto entries = ranked(metrics);
        entries.resize(std::min(count, entries.size()));
        for (const auto& entry : entries)
            out[device].insert(*entry);
    }
    return out;
}

TopInterfaces top_interfaces(const Baselines& baselines, std::size_t count) {
    TopInterfaces out;
    for (const auto& [device, metrics] : baselines) {
        std::size_t rank = 0;
        for (const auto& entry : ranked(metrics))
            if (++rank <= count)
                out[device].emplace(
                    entry->first.substr(traffic_prefix.size(),
                                        entry->first.size() - 1 - traffic_prefix.size()),
                    rank);
    }
    return out;
}

}  // namespace amoskys::etl
