// Notices two processes that publish the same lane of one agent: a cloned box, a copied state
// directory. Each new session of a lane takes it from the other; nothing is lost, because each goes
// on in a new epoch, but neither gets far, and one of the two is not who it says it is.
//
// How it shows: a spool's epochs only rise. A session that comes with a lower epoch than the lane
// has had since is one that was away while another went on. A spool that was restored from a copy
// does that once, and then begins a higher epoch; two processes do it again and again.
//
// Bounded by the lanes (LaneTable). io thread only; no Asio, no clock.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "core/base/types.h"

namespace amoskys::link {

class LaneRivals {
  public:
    using Time = std::chrono::steady_clock::time_point;
    // Clients come back within 3 s.
    static constexpr auto quiet_after = std::chrono::seconds(60);
    static constexpr unsigned returns_wanted = 2;

    struct Pair {
        std::string first, second;  // addresses that came last, the newer one second
        Time last{};
    };

    // A session of `address` takes the lane, whose committed epoch is `committed`. True where two
    // rivals are told by it for the first time.
    bool claimed(const LaneKey& lane, Epoch epoch, Epoch committed, const std::string& address,
                 Time now);
    // The lanes that have been quiet for so long; they are forgotten.
    std::vector<LaneKey> settle(Time now);
    const std::map<LaneKey, Pair>& conflicts() const { return conflicts_; }
    // "agent 'edge-1', lane 'proc': 192.0.2.1:4711 and 192.0.2.2:4712 use one identity; ..." or ""
    std::string describe() const;

  private:
    struct Seen {
        Epoch highest;
        std::string address;
        unsigned returns = 0;
        Time at{};
    };
    std::map<LaneKey, Seen> seen_;
    std::map<LaneKey, Pair> conflicts_;
};

}  // namespace amoskys::link
