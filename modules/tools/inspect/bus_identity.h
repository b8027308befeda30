// Who a tool is towards a bus: the address from --bus, an agent's identity from the key folder.
// Used by everything of inspect that asks a bus.
#pragma once

#include <string>

#include "core/io/runtime.h"
#include "core/io/tls_context.h"
#include "core/link/subscriber.h"
#include "core/module/module.h"
#include "core/wal/log.h"

namespace amoskys::modules::inspect {

struct BusIdentity {
    io::Endpoint bus;
    std::string agent_id;
    io::TlsFiles tls;
};

// usage for a bad address; config where the key folder has no identity, or several and no choice.
Result<BusIdentity> bus_identity(const module::ToolContext& context, const std::string& bus,
                                 const std::string& agent);

// One subscription until it ends: how it went, or why it failed.
Result<link::SubscriberStats> subscribe(link::SubscriberOptions options,
                                        const link::DeliverHandler& handle);
// As it stands in the bus's log, as far as DELIVER says; a view of `given`.
wal::RecordView delivered_record(const wire::DeliverView& given);

}  // namespace amoskys::modules::inspect
