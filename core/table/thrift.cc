#include "core/table/thrift.h"

namespace amoskys::table {
namespace {

enum FieldType : std::uint8_t {
    field_true = 1,
    field_false = 2,
    field_i32 = 5,
    field_i64 = 6,
    field_text = 8,
    field_list = 9,
    field_struct = 12
};

void append_zigzag(std::string& out, std::int64_t value) {
    append_varint(
        out, (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
}

}  // namespace

void append_varint(std::string& out, std::uint64_t value) {
    while (value >= 0x80) {
        out += static_cast<char>(value | 0x80);
        value >>= 7;
    }
    out += static_cast<char>(value);
}

void ThriftWriter::field(int id, std::uint8_t type) {
    const int step = id - last_ids_.back();
    last_ids_.back() = id;
    if (step >= 1 && step <= 15) {
        out_ += static_cast<char>(step << 4 | type);
        return;
    }
    out_ += static_cast<char>(type);
    append_zigzag(out_, id);
}

void ThriftWriter::integer32(int id, std::int32_t value) {
    field(id, field_i32);
    append_zigzag(out_, value);
}

void ThriftWriter::integer64(int id, std::int64_t value) {
    field(id, field_i64);
    append_zigzag(out_, value);
}

void ThriftWriter::boolean(int id, bool value) {
    field(id, value ? field_true : field_false);
}

void ThriftWriter::text(int id, std::string_view value) {
    field(id, field_text);
    element(value);
}

void ThriftWriter::begin_struct(int id) {
    field(id, field_struct);
    last_ids_.push_back(0);
}

void ThriftWriter::end_struct() {
    out_ += '\0';
    last_ids_.pop_back();
}

void ThriftWriter::begin_list(int id, ElementType type, std::size_t size) {
    field(id, field_list);
    if (size < 15) {
        out_ += static_cast<char>(size << 4 | type);
        return;
    }
    out_ += static_cast<char>(0xf0 | type);
    append_varint(out_, size);
}

void ThriftWriter::element32(std::int32_t value) {
    append_zigzag(out_, value);
}

void ThriftWriter::element(std::string_view text) {
    append_varint(out_, text.size());
    out_ += text;
}

}  // namespace amoskys::table
