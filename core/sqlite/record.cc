#include "core/sqlite/record.h"

#include <bit>
#include <cmath>

#include "core/sqlite/fault.h"
#include "core/sqlite/table_walk.h"

namespace amoskys::sqlite {

namespace {

constexpr std::uint64_t type_real = 7, type_zero = 8, type_one = 9, first_sized_type = 12;

std::int64_t signed_be(ByteView octets) {
    std::uint64_t out = !octets.empty() && (octets[0] & 0x80U) != 0 ? ~std::uint64_t{0} : 0;
    for (const std::uint8_t octet : octets)
        out = out << 8 | octet;
    return static_cast<std::int64_t>(out);
}

std::uint64_t size_of(std::uint64_t type) {
    constexpr std::uint8_t fixed[first_sized_type] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};
    return type < first_sized_type ? fixed[type] : (type - first_sized_type) / 2;
}

Value value_of(std::uint64_t type, ByteView octets) {
    Value out;
    if (type >= first_sized_type) {
        out.type = type % 2 == 0 ? Type::blob : Type::text;
        out.bytes = octets;
    } else if (type == type_real) {
        out.real = std::bit_cast<double>(signed_be(octets));
        out.type = std::isnan(out.real) ? Type::null : Type::real;  // as SQLite gives it
    } else if (type != 0) {
        out.type = Type::integer;
        out.integer = type < type_zero ? signed_be(octets) : type == type_one ? 1 : 0;
    }
    return out;
}

}  // namespace

Result<> decode_record(ByteView record, std::size_t columns, std::vector<Value>& out) {
    out.clear();
    ByteView types = record;
    std::uint64_t header_bytes = 0;
    if (!take_varint(types, header_bytes) || header_bytes > record.size() ||
        header_bytes < record.size() - types.size())
        return damaged("a record whose header is cut off");
    ByteView body = record.subspan(static_cast<std::size_t>(header_bytes));
    types = types.first(types.size() - body.size());
    while (!types.empty()) {
        std::uint64_t type = 0;
        if (!take_varint(types, type) || type == 10 || type == 11)
            return damaged("a record with a type that is none");
        const std::uint64_t size = size_of(type);
        if (size > body.size())
            return damaged("a record whose values are cut off");
        if (out.size() == columns)
            return damaged("a record with more values than the table has columns");
        out.push_back(value_of(type, body.first(static_cast<std::size_t>(size))));
        body = body.subspan(static_cast<std::size_t>(size));
    }
    return {};
}

}  // namespace amoskys::sqlite
