// Feeds the poll machine and the decoder with answers made of arbitrary bytes: it must end, within
// its limits, with records that parse.
#include <cstdint>
#include <cstdlib>

#include "modules/collectors/snmp/decode.h"
#include "modules/collectors/snmp/test/fake_agent.h"

namespace {

using namespace amoskys::snmp;

struct Input {
    const std::uint8_t* data;
    std::size_t size;
    std::uint8_t next() { return size == 0 ? std::uint8_t{0} : (--size, *data++); }
};

Varbind arbitrary(Input& in, const Request& request) {
    Varbind varbind;
    const std::uint8_t shape = in.next();
    if ((shape & 1U) != 0 && !request.oids.empty())
        varbind.oid = request.oids[shape / 2 % request.oids.size()];
    for (std::uint8_t left = in.next() & 3U; left != 0; --left)
        varbind.oid.push_back(in.next());
    varbind.value.type = static_cast<Type>(in.next() % 14);
    switch (in.next() % 6) {
        case 0:
            varbind.value.data = std::int64_t{in.next()} - 128;
            break;
        case 1:
            varbind.value.data = std::uint64_t{in.next()} << (in.next() % 60);
            break;
        case 2:
            varbind.value.data = double{static_cast<double>(in.next())} / in.next();
            break;
        case 3:
            varbind.value.data =
                std::string(std::size_t{in.next()} * in.next(), static_cast<char>(in.next()));
            break;
        case 4:
            varbind.value.data = varbind.oid;
            break;
        default:
            break;
    }
    return varbind;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input in{data, size};
    static const auto profile = small_profile();
    DevicePoll poll(profile, (in.next() & 1U) != 0 ? Version::v1 : Version::v2c,
                    {.max_rows = 50, .max_requests = 200, .max_bytes = 1 << 20});
    std::size_t requests = 0;
    while (const auto request = poll.next_request()) {
        if (++requests > 200)
            std::abort();
        const std::uint8_t kind = in.next();
        if (kind > 250) {
            poll.on_timeout();
            continue;
        }
        Response response;
        if (kind > 230) {
            response.status = static_cast<ErrorStatus>(1 + kind % 2);
            response.error_index = in.next();
        }
        for (std::uint8_t left = kind % 16; left != 0; --left)
            response.varbinds.push_back(arbitrary(in, *request));
        poll.on_response(std::move(response));
    }
    DeviceContext device;
    device.device_id = "d";
    for (const auto& record : decode(*profile, poll.result(), device).records)
        if (record.ByteSizeLong() > max_record_bytes + 65'536 ||
            !messaging::DeviceTelemetry().ParseFromString(record.SerializeAsString()))
            std::abort();
    return 0;
}
