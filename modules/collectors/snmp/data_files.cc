// What `config dump` writes out of this module.
#include "modules/collectors/snmp/data_files.h"

#include "modules/collectors/snmp/profile.h"

namespace amoskys::snmp {

std::vector<module::DataFile> data_files() {
    std::vector<module::DataFile> out;
    for (const EmbeddedFile& profile : embedded_profiles())
        out.push_back({"snmp/" + std::string(profile.name), profile.content});
    return out;
}

}  // namespace amoskys::snmp
