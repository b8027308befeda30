// The bus as a service: log, writer, server of the link protocol and HTTP listeners, started and
// stopped in the order of ARCHITECTURE.md. Made by the module table; one per process.
//
// Start: recover the log -> lanes and devices -> HTTP -> listen -> ready. Stop: no more connections
// -> what is with the log is acknowledged -> sessions close -> writer -> log -> one line with the
// time taken.
#pragma once

#include <memory>

#include "core/module/module.h"
#include "modules/ingestion/bus/bus_config.h"

namespace amoskys::ingestion {

Result<std::unique_ptr<module::Service>> make_bus_service(const module::ServiceContext& context);

}  // namespace amoskys::ingestion
