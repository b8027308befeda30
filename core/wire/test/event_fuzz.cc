// Stored bytes of any kind (the first byte of the input) into events, rows and filters.
#include "core/base/check.h"
#include "core/wire/event.h"

using namespace amoskys;
using namespace amoskys::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    static EventDecoder decoder;
    const auto kind = static_cast<RecordKind>(1 + data[0] % 4);
    EventFilter filter;
    filter.metrics = {"sys*"};
    decoder.decode(kind, ByteView(data + 1, size - 1), 7, [&](const Event& event) {
        const Json row = event_json(event);
        check(row.contains("device") && row.contains("time") && row.contains("kind"),
              "every row has the common keys");
        static_cast<void>(row.dump(-1, ' ', false, Json::error_handler_t::replace));
        static_cast<void>(filter.matches(event));
        return true;
    });
    return 0;
}
