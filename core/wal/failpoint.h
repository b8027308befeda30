// Places where a test makes the log's process die or a system call fail. In the product the macro
// is 0 and nothing of this is compiled; the tests compile the sources with AMOSKYS_FAILPOINTS.
#pragma once

#ifdef AMOSKYS_FAILPOINTS
#include <functional>
#include <string_view>

namespace amoskys::wal {

// Called at each step with its name; returns an errno to pretend, or 0. May end the process.
void set_failpoints(std::function<int(std::string_view step)> at_step);
int failpoint(std::string_view step);

}  // namespace amoskys::wal

#define AMOSKYS_FAILPOINT(step) ::amoskys::wal::failpoint(step)
#else
#define AMOSKYS_FAILPOINT(step) 0
#endif
