#include "core/link/lane_rivals.h"

#include <algorithm>

namespace amoskys::link {

bool LaneRivals::claimed(const LaneKey& lane, Epoch epoch, Epoch committed,
                         const std::string& address, Time now) {
    Seen& seen = seen_[lane];
    if (!seen.address.empty() && now - seen.at >= quiet_after)
        seen = {};
    const Epoch before = std::max(seen.highest, committed);
    const std::string other = seen.address;
    if (!other.empty() && epoch < before)
        ++seen.returns;
    seen.highest = std::max(before, epoch);
    seen.address = address;
    seen.at = now;
    if (seen.returns < returns_wanted)
        return false;
    return conflicts_.insert_or_assign(lane, Pair{other, address, now}).second;
}

std::vector<LaneKey> LaneRivals::settle(Time now) {
    std::erase_if(seen_, [now](const auto& each) { return now - each.second.at >= quiet_after; });
    std::vector<LaneKey> out;
    for (auto at = conflicts_.begin(); at != conflicts_.end();) {
        const bool over = now - at->second.last >= quiet_after;
        if (over)
            out.push_back(at->first);
        at = over ? conflicts_.erase(at) : std::next(at);
    }
    return out;
}

std::string LaneRivals::describe() const {
    if (conflicts_.empty())
        return {};
    const auto& [lane, pair] = *conflicts_.begin();
    const std::size_t others = conflicts_.size() - 1;
    return "agent '" + lane.agent_id + "', lane '" + lane.lane + "': " + pair.first + " and " +
           pair.second + " use one identity; give one of them its own (`amoskys pki issue agent`)" +
           (others == 0
                ? ""
                : "; and " + std::to_string(others) + (others == 1 ? " more lane" : " more lanes"));
}

}  // namespace amoskys::link
