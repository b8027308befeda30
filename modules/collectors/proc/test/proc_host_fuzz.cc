// Host-wide texts of /proc: every one of them gets the same input.
#include <string>

#include "modules/collectors/proc/host.h"

using namespace amoskys::proc;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    HostInput input;
    input.stat = input.meminfo = input.loadavg = input.uptime = input.diskstats = text;
    input.net_dev = input.net_snmp = input.description = input.name = text;
    messaging::DeviceTelemetry record;
    HostRecorder recorder;
    recorder.record(input, record);
    recorder.record(input, record);
    parse_mounts(text);
    if (!record.SerializeAsString().empty() && record.events_size() == 0)
        __builtin_trap();
    return 0;
}
