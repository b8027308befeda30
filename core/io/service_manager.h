// The watchdog of the service manager (sd_notify(3)); notify_service_manager() is in runtime.h.
// Used by the hosts of services and collectors on the io thread.
#pragma once

#include <chrono>

#include "core/io/runtime.h"

namespace amoskys::io {

// Half of $WATCHDOG_USEC; 0 where it is not set, is no number, or $WATCHDOG_PID is another process.
std::chrono::nanoseconds watchdog_interval();

// Where a watchdog is set, a task that sends WATCHDOG=1 until it is cancelled: from the loop that
// does the work, so that one that no longer turns is found.
void feed_watchdog(TaskGroup& group);

}  // namespace amoskys::io
