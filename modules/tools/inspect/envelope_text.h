// The envelope noun (amoskys.envelope/1) of `inspect events --full`: one stored record with its
// header and its bytes as protobuf text. Pure.
#pragma once

#include <string>

#include "core/json/output.h"
#include "core/wal/record.h"

namespace amoskys::modules::inspect {

extern const Noun envelope_noun;
Json envelope_json(const wal::RecordView& record);
// For people: a line of facts, then the text.
std::string envelope_table_text(const Json& envelope);

std::string_view record_kind_name(RecordKind kind);  // universal legacy gap audit

}  // namespace amoskys::modules::inspect
