// A file of targets in both forms.
#include "modules/collectors/snmp/target_list.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static_cast<void>(amoskys::snmp::parse_target_file(text, "t.yaml"));
    static_cast<void>(amoskys::snmp::parse_target_file(text, "t.csv"));
    return 0;
}
