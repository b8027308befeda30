// What import and verify need of stored bytes that the strict cutter would refuse: the earlier
// system's files hold such envelopes. Pure; views point into the input.
#pragma once

#include <optional>

#include "core/base/bytes.h"
#include "core/base/types.h"
#include "core/wal/record.h"

namespace amoskys::modules::inspect {

// A UniversalEnvelope in any field order: SHA-256 of its bytes without field 8, which is the
// canonical digest where the form is strict; the signature is empty unless it is 64 bytes.
struct UniversalParts {
    Digest digest{};
    ByteView signature;
};
std::optional<UniversalParts> universal_parts(ByteView stored);  // nothing: not protobuf

// Envelope and UniversalEnvelope clash on fields 5-7. Fields from 8 up are only in the latter; a
// signature of 64 bytes (or none) at 5 and 6 is the former.
std::optional<RecordKind> guess_kind(ByteView stored);  // legacy or universal; nothing: neither

// The signature that stands in a record of any kind, empty where there is none: Options of a log
// that is opened for writing.
Bytes signature_of(const wal::RecordView& record);

}  // namespace amoskys::modules::inspect
