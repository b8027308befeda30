// The cells of tables and CSV, and the choice of fields: used by output.cc and row_output.cc.
// Pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/json/json.h"

namespace amoskys::json {

std::string schema_name(std::string_view noun);  // "event" -> "amoskys.event/1"

// The value at "a.b" in nested objects, or null where there is none. A key that itself holds a dot
// is found too.
const Json* find_path(const Json& object, std::string_view path);

// One line of text without control characters: objects as k=v separated by spaces, lists by commas.
std::string table_cell(const Json& value);
// Text as it is, objects and lists as compact JSON; quoted where RFC 4180 asks for it.
std::string csv_cell(const Json& value);
std::string csv_field(std::string_view text);

// Columns that the text takes on a terminal: code points, wide ones counted as one.
std::size_t display_width(std::string_view text);

// The named fields in the named order ("a.b" keeps its nesting); usage error for an unknown one.
Result<Json> choose_fields(const Json& object, std::span<const std::string> fields);
// As above for rows, where a field that this row does not have is left out.
Json pick_fields(const Json& object, std::span<const std::string> fields);

Error unknown_field(std::string_view wrong, std::span<const std::string_view> known);

}  // namespace amoskys::json
