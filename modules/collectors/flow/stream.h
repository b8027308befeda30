// How much of one direction's payload has been seen, and which holes its receiver acknowledged
// without them: the gaps of a flow. Keeps no bytes, only positions, at most SideMore::max_pieces
// above a hole. Positions are relative to the side's start, SYN = 0.
#pragma once

#include "modules/collectors/flow/flow.h"

namespace amoskys::flow {

// The other side has acknowledged up to `at`. True where that was news.
bool stream_acknowledged(Flow& flow, unsigned side, std::uint64_t at);
// Payload of the side came.
void stream_payload(Flow& flow, unsigned side, std::uint64_t at, std::uint32_t bytes);
// Something is still expected before the end of the side counts.
bool stream_pending(const Flow& flow, unsigned side);

}  // namespace amoskys::flow
