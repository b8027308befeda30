// Holds the states that the bus keeps in its log (lanes, trust, accepted resets) against those that
// the log's records make. What no record makes is not looked at: README.md. One thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "core/wal/log.h"
#include "modules/tools/inspect/audit_trail.h"
#include "modules/tools/inspect/chain_check.h"

namespace amoskys::modules::inspect {

struct StateFacts {
    const std::map<LaneKey, LaneChain>& chains;
    const AuditTrail& trail;
    bool whole_log = false;  // every record from the first on was seen
};

using StateReport =
    std::function<void(std::string_view what, std::string message, const LaneKey& lane)>;

Result<> check_states(wal::Log& log, const StateFacts& facts, const StateReport& report);

}  // namespace amoskys::modules::inspect
