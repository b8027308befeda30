// Who began a conversation of which the beginning was not seen. Pure.
#pragma once

#include "modules/collectors/flow/packet.h"

namespace amoskys::flow {

// A port that servers listen on by convention.
bool likely_server_port(std::uint8_t protocol, std::uint16_t port);
// True where the first packet that is seen comes from the responder, by the ports and flags.
bool from_responder(const Packet& first);

}  // namespace amoskys::flow
