// Audit records (kind audit, custody rule 13): what the bus and the tools write into the log about
// themselves. The stored bytes are a serialized messaging::DeviceTelemetry with one AUDIT event;
// the log's tree and head vouch for them, they carry no signature. Read by EventDecoder.
#pragma once

#include <string>

#include "core/base/clock.h"

namespace amoskys::wire {

struct AuditEntry {
    UnixNanos time_ns = 0;
    std::string writer;    // who writes it: the bus's host name; becomes the event's device
    std::string category;  // identity, epoch, trust, export, prune, restore, overload
    std::string action;    // refused, reset, accepted, ...
    std::string object_type, object_id;  // lane "edge-1/snmp", agent, device
    std::string actor_id;                // agent_id or user
    std::string before, after;
    std::string severity = "INFO";  // INFO WARN ERROR CRITICAL
};

std::string encode_audit(const AuditEntry& entry);

}  // namespace amoskys::wire
