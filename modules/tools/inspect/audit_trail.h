// What the bus's audit records say was done to its own states and to the log, so that `verify` can
// hold the states against it. Fed with every audit record in order. Pure; one thread.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/wal/record.h"

namespace amoskys::modules::inspect {

class AuditTrail {
  public:
    struct Said {
        WalOffset at;
        std::string text;
        UnixNanos time_ns = 0;  // of an accepted reset: when it was accepted
    };
    // The lane whose accepted reset this record tells of.
    std::optional<LaneKey> add(const wal::RecordView& record);

    // By agent: what the trust map says of it since then; "" = it was removed. The bus names the
    // first 100 of a change: those that may have changed since are not here.
    std::map<std::string, Said> trust;
    std::map<LaneKey, Said> accepted_resets;
    // When the bus took the latest epoch of a lane, by its own clock: the time in a record's header
    // never goes back, a clock may.
    std::map<LaneKey, UnixNanos> epochs;
    WalOffset retention_begins;  // the log begins with this record, by its retention
};

}  // namespace amoskys::modules::inspect
