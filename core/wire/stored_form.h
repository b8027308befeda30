// Stored bytes whatever their form: the digest of a UniversalEnvelope without its signature, also
// where the strict cutter would refuse it (imported files of other tools). Sans-io; views point
// into the input.
#pragma once

#include <optional>

#include "core/base/bytes.h"
#include "core/base/types.h"

namespace amoskys::wire {

// In any field order: SHA-256 of the bytes without field 8, which is the canonical digest where the
// form is strict; the signature is empty unless it is 64 bytes.
struct UniversalParts {
    Digest digest{};
    ByteView signature;
};
std::optional<UniversalParts> universal_parts(ByteView stored);  // nothing: not protobuf

// Whether stored bytes are those that a record's digest was made of. Legacy and audit records are
// checked by the log itself when it reads them; here they count as intact.
bool stored_intact(RecordKind kind, ByteView stored, const Digest& digest);

}  // namespace amoskys::wire
