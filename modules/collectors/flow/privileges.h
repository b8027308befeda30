// Gives up what only opening an interface needs. Linux capabilities belong to threads.
#pragma once

#include "core/base/result.h"

namespace amoskys::flow {

// The calling thread, and what it starts, has no capability left afterwards.
Result<> drop_all_capabilities();

}  // namespace amoskys::flow
