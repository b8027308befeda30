// Frames as a peer may send them, in pieces whose sizes the input chooses.
#include <algorithm>
#include <cstring>

#include "core/base/check.h"
#include "core/wire/frame.h"

using namespace amoskys;
using namespace amoskys::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    FrameReader reader(4096);
    const ByteView input(data, size);
    std::size_t at = 0;
    while (at < size) {
        const auto space = reader.prepare();
        check(space.size() >= 16384, "room to read");
        const std::size_t piece = std::min<std::size_t>(size - at, 1 + input[at] * 16U);
        std::copy_n(input.begin() + static_cast<std::ptrdiff_t>(at), piece, space.begin());
        reader.commit(piece);
        at += piece;
        for (;;) {
            const auto frame = reader.next();
            if (!frame)
                return 0;
            if (!*frame)
                break;
            const ByteView body = **frame;
            const auto publish = split_publish(body);
            const auto parsed = decode_frame(body);
            if (publish && *publish && parsed) {
                const auto& message = *parsed;
                check(message.request_id() == (*publish)->request_id, "one request_id");
                const std::string& envelope = (*publish)->legacy
                                                  ? message.publish_legacy().envelope()
                                                  : message.publish().envelope();
                check(as_text((*publish)->envelope) == envelope, "one envelope");
            }
            static_cast<void>(split_deliver(body));
        }
    }
    return 0;
}
