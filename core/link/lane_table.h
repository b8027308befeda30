// The committed state of every (agent, lane) of a bus, shared by its sessions. A lane has at most
// one session and at most one uncommitted write, so that a failed commit can never be followed by
// one that builds on it. Loaded from the log at start; the states go back to it with the records,
// in the same transaction. io thread only; no Asio, no clock.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/types.h"
#include "core/wal/log.h"
#include "core/wire/custody.h"

namespace amoskys::link {

// Digests of this many last envelopes of a lane are kept in memory; older ones are looked for in
// the log.
inline constexpr std::size_t recent_digests = 256;
inline constexpr std::size_t max_lanes_per_agent = 64;

struct SeenEnvelope {
    Epoch epoch;
    SeqNo sequence;
    Digest digest{};
};

struct Lane {
    LaneKey key;
    wire::LaneState committed;
    std::uint64_t session = 0;  // the id of the session that owns it, 0 = none
    bool writing = false;       // a write of this lane is with the log
    // Called once when `writing` ends; the session that wants the lane next waits here.
    std::function<void()> when_settled;
    std::deque<SeenEnvelope> recent;

    void remember(const SeenEnvelope& seen);
    void settle();  // writing ended
};

std::string lane_state_key(const LaneKey& key);  // "lane/<agent>/<lane>"

class LaneTable {
  public:
    Result<> load(wal::Log& log);
    // The lane, made where it is new; nullptr where the agent has max_lanes_per_agent others.
    Lane* open(const LaneKey& key);
    // After a salvage: what the records from `from` on say of their lanes, stored as states.
    Result<> rebuild(wal::Log& log, WalOffset from);
    const Lane* find(const LaneKey& key) const;
    Lane* find(const LaneKey& key);
    std::size_t size() const { return lanes_.size(); }

  private:
    std::map<LaneKey, Lane> lanes_;
};

// What the log has under an old sequence of a lane: searched backwards by header from the newest
// record, at most max_searched_records of them. Beyond that, and before the oldest record, it
// counts as pruned.
inline constexpr std::uint64_t max_searched_records = 65536;
wire::StoredDigest find_in_log(wal::Log& log, const LaneKey& key, std::string_view key_id,
                               Epoch epoch, SeqNo sequence);

}  // namespace amoskys::link
