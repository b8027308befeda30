#include "modules/tools/inspect/stored_form.h"

#include <algorithm>

#include "core/wire/event.h"
#include "core/wire/legacy.h"
#include "core/wire/proto_cursor.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::uint32_t legacy_last_field = 7;

std::uint32_t highest_field(ByteView stored) {
    wire::ProtoCursor cursor(stored);
    wire::FieldTag tag;
    std::uint32_t highest = 0;
    while (!cursor.at_end()) {
        if (!cursor.tag(tag) || !cursor.skip(tag.type))
            return 0;
        highest = std::max(highest, tag.number);
    }
    return highest;
}

bool has_universal_events(ByteView stored) {
    wire::EventDecoder decoder;
    decoder.decode(RecordKind::universal, stored, 0, [](const wire::Event&) { return true; });
    const wire::DecodeCounts& counts = decoder.counts();
    return counts.events != 0 && counts.malformed_envelopes + counts.malformed_events == 0;
}

}  // namespace

std::optional<RecordKind> guess_kind(ByteView stored) {
    const std::uint32_t highest = highest_field(stored);
    if (highest == 0)
        return std::nullopt;
    if (highest > legacy_last_field)
        return RecordKind::universal;
    if (wire::cut_legacy(stored, wal::stored_bytes_max))
        return RecordKind::legacy;
    if (has_universal_events(stored))
        return RecordKind::universal;
    if (wire::decode_legacy(stored))
        return RecordKind::legacy;
    return std::nullopt;
}

}  // namespace amoskys::modules::inspect
