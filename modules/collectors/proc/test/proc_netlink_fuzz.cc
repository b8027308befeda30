// What the kernel sends over netlink: the first byte picks the decoder.
#include <cstdlib>

#include "modules/collectors/proc/connector.h"
#include "modules/collectors/proc/sockets.h"

using namespace amoskys::proc;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const amoskys::ByteView datagram(data + 1, size - 1);
    if (data[0] % 3 == 0) {
        ConnectorDecoder decoder;
        std::vector<LifeCycleEvent> events;
        decoder.decode(datagram, events);
        decoder.decode(datagram, events);
        if (events.size() > 2 * size / 16 || events.size() > decoder.counts().received)
            std::abort();
    } else if (data[0] % 3 == 1) {
        Sockets sockets;
        decode_inet_dump(datagram, Socket::Kind::tcp, sockets);
        for (const auto& [inode, socket] : sockets)
            if (inode == 0 || socket.local_text().size() > 64 || socket.remote_text().size() > 64)
                std::abort();
    } else {
        Sockets sockets;
        parse_packet_sockets(amoskys::as_text(datagram), sockets);
        if (sockets.size() > size)
            std::abort();
    }
    return 0;
}
