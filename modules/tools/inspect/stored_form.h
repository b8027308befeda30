// What import needs of stored bytes besides core/wire/stored_form.h. Pure.
#pragma once

#include <optional>

#include "core/base/bytes.h"
#include "core/base/types.h"
#include "core/wal/record.h"

namespace amoskys::modules::inspect {

// Envelope and UniversalEnvelope clash on fields 5-7. Fields from 8 up are only in the latter; a
// signature of 64 bytes (or none) at 5 and 6 is the former.
std::optional<RecordKind> guess_kind(ByteView stored);  // legacy or universal; nothing: neither

}  // namespace amoskys::modules::inspect
