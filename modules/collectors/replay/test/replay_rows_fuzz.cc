// CSV and NDJSON: the first byte says in which pieces the rest arrives.
#include <algorithm>
#include <cstring>

#include "core/base/text.h"
#include "modules/collectors/replay/decoder.h"

using namespace amoskys::replay;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const std::size_t piece = data[0] == 0 ? size : data[0];
    std::size_t at = 1;
    FileDecoder decoder("fuzz", Format::detect);
    Row row;
    for (bool more = true; more;) {
        const auto [room, space] = decoder.room();
        const std::size_t count = std::min({piece, space, size - at});
        if (count > 0)
            std::memcpy(room, data + at, count);
        at += count;
        more = count > 0;
        if (!decoder.take(count))
            return 0;
        while (true) {
            const auto found = decoder.next(row);
            if (!found)
                return 0;
            if (!*found)
                break;
            if (row.device.empty() || row.time_ns == 0 || !amoskys::valid_utf8(row.device))
                __builtin_trap();
        }
    }
    return 0;
}
