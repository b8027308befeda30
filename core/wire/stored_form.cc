#include "core/wire/stored_form.h"

#include "core/crypto/hash.h"
#include "core/wire/proto_cursor.h"

namespace amoskys::wire {

namespace {

constexpr std::uint32_t universal_signature_field = 8;
constexpr std::size_t signature_bytes = 64;

}  // namespace

std::optional<UniversalParts> universal_parts(ByteView stored) {
    UniversalParts out;
    crypto::Sha256 hash;
    ProtoCursor cursor(stored);
    FieldTag tag;
    while (!cursor.at_end()) {
        const std::size_t start = cursor.position();
        if (!cursor.tag(tag))
            return std::nullopt;
        ByteView value;
        const bool signature =
            tag.number == universal_signature_field && tag.type == WireType::bytes;
        if (!(signature ? cursor.bytes(value) : cursor.skip(tag.type)))
            return std::nullopt;
        if (!signature)
            hash.update(stored.subspan(start, cursor.position() - start));
        else if (value.size() == signature_bytes)
            out.signature = value;
    }
    out.digest = hash.finish();
    return out;
}

bool stored_intact(RecordKind kind, ByteView stored, const Digest& digest) {
    if (kind != RecordKind::universal && kind != RecordKind::gap)
        return true;
    const std::optional<UniversalParts> parts = universal_parts(stored);
    return parts && parts->digest == digest;
}

}  // namespace amoskys::wire
