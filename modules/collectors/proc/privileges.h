// Gives up what only opening the life-cycle source needs. Capabilities belong to threads.
#pragma once

#include "core/base/result.h"

namespace amoskys::proc {

// The calling thread keeps at most CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.
Result<> keep_reading_capabilities();

}  // namespace amoskys::proc
