// Whatever arrives at the port of traps.
#include <cstdlib>

#include "modules/collectors/snmp/trap.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace amoskys;
    using namespace amoskys::snmp;
    static const auto credentials = [] {
        auto out = std::make_shared<Credentials>();
        out->community.value = "public";
        out->user.name = "u";
        return out;
    }();
    TrapDecoder decoder(credentials, "host", 1'700'000'000);
    const auto got = decoder.take({data, size}, 1'700'000'000);
    if (got.notification) {
        std::string bytes;
        if (!trap_record(*got.notification, "d", "a", 1).SerializeToString(&bytes))
            std::abort();
    }
    return 0;
}
