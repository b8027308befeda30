// The single layers, each in a file of its own. true: it is there; an error in words otherwise.
#pragma once

#include "core/sandbox/sandbox.h"

namespace amoskys::sandbox {

std::string_view capability_name(unsigned number);
constexpr unsigned capabilities_known = 41;  // Linux 5.9 to 6.12

Result<> become(const std::string& user);  // keeps the permitted capabilities
Result<std::vector<std::string>> keep_capabilities(const std::vector<std::string>& names);
Result<int> restrict_files(const Profile& profile);  // the ABI in use
Result<> restrict_system_calls();

}  // namespace amoskys::sandbox
