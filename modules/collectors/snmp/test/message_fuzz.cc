// Whatever arrives from a device: messages of all versions, and the dialog that takes them. What is
// read as a message of a community must be written and read alike.
#include <cstdlib>

#include "modules/collectors/snmp/dialog.h"

namespace {

using namespace amoskys;
using namespace amoskys::snmp;

std::shared_ptr<const Credentials> credentials(Version version) {
    auto out = std::make_shared<Credentials>();
    out->version = version;
    out->community.value = "public";
    out->user.name = "u";
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes(data, size);
    if (const auto message = read_community_message(bytes)) {
        const Bytes octets = write_community_message(*message);
        const auto again = read_community_message(octets);
        if (!again || again->pdu.varbinds.size() != message->pdu.varbinds.size() ||
            again->community != message->community)
            std::abort();
    }
    static_cast<void>(read_v3(bytes, nullptr, nullptr));
    static_cast<void>(message_length(bytes));
    for (const Version version : {Version::v2c, Version::v3}) {
        static const auto community = credentials(Version::v2c), user = credentials(Version::v3);
        Dialog dialog(version == Version::v3 ? user : community);
        dialog.begin({Operation::get, {{1, 3, 6}}, 0});
        static_cast<void>(dialog.octets(0));
        static_cast<void>(dialog.probe(0));
        Response answer;
        static_cast<void>(dialog.receive(bytes, 0, answer));
        static_cast<void>(dialog.silence());
    }
    return 0;
}
