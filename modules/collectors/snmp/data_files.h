// The profiles of this executable as files. Used by the module table.
#pragma once

#include <vector>

#include "core/module/module.h"

namespace amoskys::snmp {

std::vector<module::DataFile> data_files();

}  // namespace amoskys::snmp
