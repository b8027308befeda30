// Walks a payload by the shape of its messages, without allocating: what cut_envelope and the
// legacy reader use to count events and to refuse what protobuf could not read.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/bytes.h"
#include "core/wire/envelope.h"

namespace amoskys::wire {

inline constexpr unsigned max_payload_nesting = 16;

struct PayloadFacts {
    std::uint32_t events = 0;
    UnixNanos first_ns = 0, last_ns = 0;  // 0 = no event with a time
    bool untimed = false;                 // some event has no time
    bool no_device = false;               // some event has no device id
    GapFacts gap;
};

// Empty text = well formed; otherwise what is wrong.
std::string_view walk_payload(PayloadKind kind, ByteView payload, DeviceVisitor visit,
                              void* context, PayloadFacts& facts);

}  // namespace amoskys::wire
