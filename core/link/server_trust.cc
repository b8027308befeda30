// The trust map after a change: audit records of it, and lanes that are opened again.
#include <boost/asio/post.hpp>

#include "core/link/audit.h"
#include "core/link/server_impl.h"
#include "core/log/log.h"
#include "core/wire/state_codec.h"

namespace amoskys::link {

namespace asio = io::asio;

// True where nothing of the lane is with the log and no session builds on it.
bool Server::Impl::free_lane(Lane& lane) {
    if (lane.session != 0 && bus.evict)
        bus.evict(lane.session, "lane '" + lane.key.lane + "': a reset was accepted");
    return lane.session == 0 && !lane.writing;
}

// Called after a reload and every second: what could not be done yet is done then.
void Server::Impl::settle_trust() {
    if (trust_writing || settled_trust == bus.trust)
        return;
    auto change = journal.changes(*bus.trust, clock.now_ns());
    std::vector<std::pair<Lane*, wire::LaneState>> opened;
    bool all = true;
    for (const auto& reset : change.resets) {
        Lane* lane = bus.lanes.find(reset.lane);
        const bool closed = lane != nullptr && lane->committed.unlinked_resets_today != 0;
        if (closed && !free_lane(*lane)) {
            all = false;
            continue;
        }
        change.states.push_back(TrustJournal::honoured_state(reset));
        if (!closed)
            continue;
        change.records.push_back(TrustJournal::honoured_record(
            reset,
            std::to_string(lane->committed.unlinked_resets_today) + " unlinked resets in a day",
            clock.now_ns()));
        auto state = lane->committed;
        wire::accept_reset(state);
        change.states.push_back({lane_state_key(lane->key), wire::encode_lane_state(state)});
        opened.emplace_back(lane, std::move(state));
    }
    if (change.states.empty() && all)
        settled_trust = bus.trust;
    if (!change.states.empty())
        write_trust(std::move(change), std::move(opened));
}

void Server::Impl::write_trust(TrustJournal::Changes change,
                               std::vector<std::pair<Lane*, wire::LaneState>> opened) {
    wal::WriteRequest request;
    const auto audits = change.records.size();
    request.records = std::move(change.records);
    request.states = change.states;
    auto on_io = [impl = shared_from_this(), states = std::move(change.states), opened,
                  audits](const Result<wal::Appended>& result) {
        impl->trust_writing = false;
        --impl->writes_in_flight;
        if (result) {
            impl->journal.recorded(states);
            impl->bus.metrics.audits.add(audits);
            impl->bus.metrics.trust_changes.add(audits);
            if (audits != 0)
                log::info("bus", "trust_changed", "the trust map has changed",
                          {{"changes", std::uint64_t{audits}}});
        }
        for (const auto& [lane, state] : opened) {
            if (result) {
                lane->committed = state;
                log::info("bus", "reset_accepted", "the lane takes unlinked epochs again",
                          {{"cn", lane->key.agent_id}, {"lane", lane->key.lane}});
            }
            lane->settle();
        }
        impl->changed.notify();
    };
    request.done = [impl = shared_from_this(), on_io](const Result<wal::Appended>& result) {
        asio::post(impl->io, [on_io, result] { on_io(result); });
    };
    for (const auto& [lane, state] : opened)
        lane->writing = true;
    trust_writing = true;
    ++writes_in_flight;
    if (writer.submit(std::move(request)))
        return;
    // The queue is full: the next tick tries again.
    trust_writing = false;
    --writes_in_flight;
    for (const auto& [lane, state] : opened)
        lane->settle();
}

}  // namespace amoskys::link
