// Application payloads: the first byte picks the decoder.
#include <cstdlib>

#include "modules/collectors/flow/application.h"
#include "modules/collectors/flow/tls.h"

using namespace amoskys;
using namespace amoskys::flow;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 3)
        return 0;
    const ByteView payload(data + 3, size - 3);
    const Ports ports{static_cast<std::uint16_t>(data[1] * 256U + data[2]), 50000};
    ClientHello client;
    ServerHello server;
    HttpHead head;
    std::string name;
    switch (data[0] % 7) {
        case 0:
            if (client_hello(payload, client) == HelloState::found && ja4(client, 't').size() != 36)
                std::abort();
            break;
        case 1:
            server_hello(payload, server);
            break;
        case 2:
            if (client_hello_message(payload, client) == HelloState::found)
                ja4(client, 'q');
            break;
        case 3:
            if (http_head(payload, head) && head.host.size() > 1024)
                std::abort();
            break;
        case 4:
            if (dns_question(payload, (data[1] & 1U) != 0, name) && name.size() > 255)
                std::abort();
            break;
        case 5:
            service_name(service_of_tcp(payload, ports));
            break;
        default:
            service_name(service_of_udp(payload, ports));
            ssh_banner(payload);
    }
    return 0;
}
