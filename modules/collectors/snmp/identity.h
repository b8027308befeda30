// Who a device is, from the answers to profile `identity`: scalars of vendors, ENTITY-MIB, and what
// sysDescr says. Pure.
#pragma once

#include <string>

#include "modules/collectors/snmp/poll.h"
#include "modules/collectors/snmp/profile.h"

namespace amoskys::snmp {

struct Identity {
    std::string manufacturer, model, firmware, serial;  // empty = not known
    Oid object_id;                                      // sysObjectID
    bool operator==(const Identity&) const = default;
};

Identity identify(const Profile& profile, const PollResult& result);

// What `cut` takes out of `text`; "" where it does not fit.
std::string cut_out(const Cut& cut, std::string_view text);

}  // namespace amoskys::snmp
