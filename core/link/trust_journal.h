// Changes of the trust map as audit records (custody rules 7 and 13). What the log has last been
// told of each agent stands in its states, so that a change made while no bus ran is told, too.
// Used by the server; io thread only. No Asio, no clock.
//
// States: "trust/AGENT" = describe_agent() of it, empty where it was removed;
// "reset/AGENT/LANE" = time (ns) of the accepted reset that was honoured last.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/crypto/trust_map.h"
#include "core/link/lane_table.h"
#include "core/wal/writer.h"

namespace amoskys::link {

// "keys 0011223344556677 active, 8899aabbccddeeff retiring until 2026-12-01T...; permissions
// publish, register; devices any; rate 0"
std::string describe_agent(const crypto::TrustedAgent& agent);

class TrustJournal {
  public:
    struct Reset {
        LaneKey lane;
        UnixNanos time_ns = 0;
    };
    struct Changes {
        std::vector<wal::OwnedAppend> records;
        std::vector<wal::StateUpdate> states;
        std::vector<Reset> resets;  // not yet honoured: the caller opens the lanes
    };

    Result<> load(wal::Log& log);
    // What the log does not know of `trust`. The first trust map of a log makes states only. Of
    // more than 100 changed agents the others are one record.
    Changes changes(const crypto::TrustMap& trust, UnixNanos now_ns) const;
    static wal::StateUpdate honoured_state(const Reset& reset);
    static wal::OwnedAppend honoured_record(const Reset& reset, const std::string& before,
                                            UnixNanos now_ns);
    // These states are in the log.
    void recorded(const std::vector<wal::StateUpdate>& states);

  private:
    std::map<std::string, std::string, std::less<>> known_;  // by state key
    bool begun_ = false;                                     // the log has states of a trust map
};

}  // namespace amoskys::link
