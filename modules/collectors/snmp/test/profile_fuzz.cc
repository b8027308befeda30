// Any text as a profile: parsed or refused with a message, never anything else.
#include <cstdint>
#include <cstdlib>

#include "modules/collectors/snmp/profile.h"
#include "modules/collectors/snmp/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto profile = amoskys::snmp::parse_profile(text, "fuzz.yaml");
    if (!profile && profile.error().message.empty())
        std::abort();
    const auto target = amoskys::snmp::parse_target(text);
    if (target && (target->host.empty() || target->device_id.empty()))
        std::abort();
    return 0;
}
