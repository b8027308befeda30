// The Thrift structs of the format: page headers, row groups, the footer.
#include "core/base/text.h"
#include "core/json/json.h"
#include "core/table/parquet.h"
#include "core/table/thrift.h"

namespace amoskys::table::parquet {
namespace {

constexpr std::int32_t required = 0, optional = 1;

std::int32_t physical_type(Type type) {
    switch (type) {
        case Type::boolean:
            return 0;
        case Type::int64:
        case Type::timestamp:
            return 2;
        case Type::float64:
            return 5;
        case Type::text:
            return 6;
    }
    return 0;
}

std::int32_t number(Encoding encoding) {
    return static_cast<std::int32_t>(encoding);
}

std::int64_t signed64(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

void schema_element(ThriftWriter& out, const Field& field) {
    out.begin_element();
    out.integer32(1, physical_type(field.type));
    out.integer32(3, field.nullable ? optional : required);
    out.text(4, printable(field.name));
    if (field.type == Type::text) {
        out.integer32(6, 0);  // converted type UTF8, for older readers
        out.begin_struct(10);
        out.empty_struct(1);  // STRING
        out.end_struct();
    } else if (field.type == Type::timestamp) {
        out.begin_struct(10);
        out.begin_struct(8);   // TIMESTAMP
        out.boolean(1, true);  // adjusted to UTC
        out.begin_struct(2);
        out.empty_struct(3);  // NANOS
        out.end_struct();
        out.end_struct();
        out.end_struct();
    }
    out.end_struct();
}

void column_chunk(ThriftWriter& out, const Field& field, const Chunk& chunk, std::size_t rows,
                  std::int32_t codec) {
    out.begin_element();
    out.integer64(2, signed64(chunk.offset));
    out.begin_struct(3);
    out.integer32(1, physical_type(field.type));
    out.begin_list(2, ThriftWriter::i32_elements, chunk.dictionary ? 3 : 2);
    out.element32(number(Encoding::plain));
    out.element32(number(Encoding::rle));
    if (chunk.dictionary)
        out.element32(number(Encoding::rle_dictionary));
    out.begin_list(3, ThriftWriter::text_elements, 1);
    out.element(printable(field.name));
    out.integer32(4, codec);
    out.integer64(5, signed64(rows));
    out.integer64(6, signed64(chunk.sizes.raw));
    out.integer64(7, signed64(chunk.sizes.compressed));
    out.integer64(9, signed64(chunk.data_offset));
    if (chunk.dictionary)
        out.integer64(11, signed64(chunk.offset));
    out.begin_struct(12);
    out.integer64(3, signed64(chunk.nulls));
    if (chunk.has_bounds) {
        out.text(5, chunk.max);
        out.text(6, chunk.min);
    }
    out.end_struct();
    out.end_struct();
    out.end_struct();
}

std::string fields_json(const Schema& schema) {
    Json out = Json::array();
    for (const Field& field : schema.fields)
        out.push_back({{"name", printable(field.name)},
                       {"dtype", type_name(field.type)},
                       {"unit", field.unit},
                       {"stage", field.stage},
                       {"formula", field.formula}});
    return json::dump(out);
}

void key_value(ThriftWriter& out, std::string_view key, std::string_view value) {
    out.begin_element();
    out.text(1, key);
    out.text(2, value);
    out.end_struct();
}

}  // namespace

std::string dictionary_page_header(PageSizes sizes, std::size_t values) {
    std::string out;
    ThriftWriter header(out);
    header.integer32(1, 2);  // DICTIONARY_PAGE
    header.integer32(2, static_cast<std::int32_t>(sizes.raw));
    header.integer32(3, static_cast<std::int32_t>(sizes.compressed));
    header.begin_struct(7);
    header.integer32(1, static_cast<std::int32_t>(values));
    header.integer32(2, number(Encoding::plain));
    header.end_struct();
    header.end_struct();
    return out;
}

std::string data_page_header(PageSizes sizes, std::size_t rows, Encoding encoding) {
    std::string out;
    ThriftWriter header(out);
    header.integer32(1, 0);  // DATA_PAGE
    header.integer32(2, static_cast<std::int32_t>(sizes.raw));
    header.integer32(3, static_cast<std::int32_t>(sizes.compressed));
    header.begin_struct(5);
    header.integer32(1, static_cast<std::int32_t>(rows));
    header.integer32(2, number(encoding));
    header.integer32(3, number(Encoding::rle));
    header.integer32(4, number(Encoding::rle));
    header.end_struct();
    header.end_struct();
    return out;
}

std::string row_group(const Schema& schema, std::span<const Chunk> chunks, std::size_t rows,
                      std::int32_t codec) {
    std::string out;
    ThriftWriter group(out);
    group.begin_list(1, ThriftWriter::struct_elements, chunks.size());
    PageSizes sizes;
    for (std::size_t i = 0; i < chunks.size(); ++i) {
        column_chunk(group, schema.fields[i], chunks[i], rows, codec);
        sizes.raw += chunks[i].sizes.raw;
        sizes.compressed += chunks[i].sizes.compressed;
    }
    group.integer64(2, signed64(sizes.raw));
    group.integer64(3, signed64(rows));
    group.integer64(5, chunks.empty() ? 0 : signed64(chunks.front().offset));
    group.integer64(6, signed64(sizes.compressed));
    group.end_struct();
    return out;
}

std::string footer(const Schema& schema, std::string_view row_groups, std::size_t groups,
                   std::uint64_t rows) {
    std::string out;
    ThriftWriter file(out);
    file.integer32(1, 2);  // version of the format
    file.begin_list(2, ThriftWriter::struct_elements, schema.fields.size() + 1);
    file.begin_element();
    file.text(4, "schema");
    file.integer32(5, static_cast<std::int32_t>(schema.fields.size()));
    file.end_struct();
    for (const Field& field : schema.fields)
        schema_element(file, field);
    file.integer64(3, signed64(rows));
    file.begin_list(4, ThriftWriter::struct_elements, groups);
    out += row_groups;
    file.begin_list(5, ThriftWriter::struct_elements, schema.metadata.size() + 1);
    key_value(file, "amoskys.fields", fields_json(schema));
    for (const auto& [key, value] : schema.metadata)
        key_value(file, printable(key), printable(value));
    // Readers of old files look for this form and distrust the bounds of texts without it.
    file.text(6, "amoskys version " AMOSKYS_TABLE_VERSION " (build 0)");
    file.begin_list(7, ThriftWriter::struct_elements, schema.fields.size());
    for (std::size_t i = 0; i < schema.fields.size(); ++i) {
        file.begin_element();
        file.empty_struct(1);  // bounds in the order of the type
        file.end_struct();
    }
    file.end_struct();
    append_u32(out, static_cast<std::uint32_t>(out.size()));
    return out + "PAR1";
}

}  // namespace amoskys::table::parquet
