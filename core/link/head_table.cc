#include "core/link/head_table.h"

#include <algorithm>

namespace amoskys::link {
namespace {

std::uint64_t ahead_of_log(const amoskys::bus::Head& head, const Lane* lane) {
    const bool same_epoch = lane != nullptr && lane->committed.epoch.value == head.epoch();
    const std::uint64_t committed = same_epoch ? lane->committed.last_sequence.value : 0;
    return head.last_sequence() > committed ? head.last_sequence() - committed : 0;
}

}  // namespace

Result<> HeadTable::load(wal::Log& log) {
    AMOSKYS_TRY(states, log.states(wire::kept_head_prefix));
    for (const auto& each : states) {
        AMOSKYS_TRY(kept, wire::decode_kept_head(each.value));
        const LaneKey lane{kept.head.agent_id(), kept.head.lane()};
        heads_.insert_or_assign(lane, std::move(kept));
    }
    return {};
}

void HeadTable::note(const LaneKey& lane, wire::KeptHead kept) {
    heads_.insert_or_assign(lane, std::move(kept));
}

const wire::KeptHead* HeadTable::find(const LaneKey& lane) const {
    const auto found = heads_.find(lane);
    return found == heads_.end() ? nullptr : &found->second;
}

void HeadTable::update(ServerMetrics& metrics, const LaneTable& lanes,
                       const crypto::TrustMap& trust, UnixNanos now_ns) const {
    for (auto at = heads_.begin(); at != heads_.end();) {
        const std::string& agent = at->first.agent_id;
        UnixNanos age_ns = 0;
        std::uint64_t ahead = 0;
        for (; at != heads_.end() && at->first.agent_id == agent; ++at) {
            const UnixNanos received = at->second.received_ns;
            age_ns = std::max(age_ns, now_ns > received ? now_ns - received : 0);
            ahead += ahead_of_log(at->second.head, lanes.find(at->first));
        }
        if (trust.find(agent) != nullptr)
            metrics.head(agent, static_cast<double>(age_ns) / 1e9, static_cast<double>(ahead));
    }
}

}  // namespace amoskys::link
