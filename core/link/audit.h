// Audit records of the bus (custody rule 13): what it refused and what changed, in the same log and
// tree as the telemetry. Stored bytes = serialized messaging.DeviceTelemetry with one audit_event;
// digest = SHA-256 of them.
#pragma once

#include <string>

#include "core/base/clock.h"
#include "core/wal/writer.h"
#include "core/wire/custody.h"

namespace amoskys::link {

struct AuditFacts {
    std::string category;                // "identity", "sequence", "epoch", "key", "trust", ...
    std::string action;                  // "refused", "reset", ...
    std::string object_type, object_id;  // "lane", "edge-1/snmp"
    std::string actor_id;                // the agent_id, or the peer's address
    std::string session_id;
    std::string before, after;
    std::string reason;
};
wal::OwnedAppend audit_record(const AuditFacts& facts, UnixNanos now_ns);

// "epoch 5, sequence 7, head 0a1b..." for before and after.
std::string describe_lane(const wire::LaneState& state);

}  // namespace amoskys::link
