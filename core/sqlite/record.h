// The values of one row: varint octets of the header, a varint type of each value, the values
// (section 2.1 of the file format). Sans-io.
#pragma once

#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace amoskys::sqlite {

// absent: the row is older than its column, whose default (another than NULL) is in the schema
// only.
enum class Type : std::uint8_t { null, integer, real, text, blob, absent };

struct Value {
    Type type = Type::null;
    std::int64_t integer = 0;
    double real = 0;
    ByteView bytes = {};  // of text (as it stands, perhaps no UTF-8) and blob
};

// At most `columns` values into out, whose views point into record. bad_data "sqlite_damaged".
Result<> decode_record(ByteView record, std::size_t columns, std::vector<Value>& out);

}  // namespace amoskys::sqlite
