// A finished flow as the FlowEvent that is published. Pure; text that came from packets is made
// printable before it gets here.
#pragma once

#include <string>
#include <vector>

#include "modules/collectors/flow/flow.h"
#include "proto/messaging_schema.pb.h"

namespace amoskys::flow {

struct EventOptions {
    std::uint16_t community_seed = 0;
    std::vector<std::string> interfaces;  // names by number; empty for files
};

messaging::FlowEvent to_event(const Flow& flow, EndReason reason, const EventOptions& options);

}  // namespace amoskys::flow
