#include "core/sqlite/database.h"

#include "core/sqlite/fault.h"
#include "core/sqlite/table_walk.h"

namespace amoskys::sqlite {

namespace {

constexpr std::uint32_t schema_root = 1;
enum SchemaColumn : std::uint8_t { kind, name, of_table, root, sql, schema_columns };

}  // namespace

Result<Database> Database::open(Files files) {
    AMOSKYS_TRY(pages, Pages::open(std::move(files)));
    return Database(std::move(pages));
}

Result<Table> Database::table(std::string_view wanted) const {
    std::optional<Result<Table>> found;
    std::vector<Value> values;
    const auto look = [&](std::int64_t, ByteView record) -> Result<bool> {
        AMOSKYS_TRY_VOID(decode_record(record, schema_columns, values));
        if (values.size() < schema_columns || as_text(values[kind].bytes) != "table" ||
            !same_name(as_text(values[name].bytes), wanted))
            return true;
        found = parse_create_table(as_text(values[sql].bytes));
        if (*found)
            (**found).root = static_cast<std::uint32_t>(values[root].integer);
        return true;
    };
    AMOSKYS_TRY_VOID(walk_table(pages_, schema_root, INT64_MIN, look));
    if (!found)
        return make_error(ErrorKind::bad_data, "sqlite_table",
                          "there is no table " + std::string(wanted));
    if (!*found)
        found->error().message =
            "table " + std::string(wanted) + ": " + std::move(found->error().message);
    return std::move(*found);
}

Result<std::uint64_t> Database::count(const Table& table) const {
    return count_rows(pages_, table.root);
}

Result<> Database::for_each(const Table& table, std::int64_t from,
                            const std::function<Result<bool>(const Row&)>& visit) const {
    std::vector<Value> values;
    const auto take = [&](std::int64_t row_id, ByteView record) -> Result<bool> {
        AMOSKYS_TRY_VOID(decode_record(record, table.columns.size(), values));
        while (values.size() < table.columns.size())
            values.push_back(
                {table.columns[values.size()].has_default ? Type::absent : Type::null});
        if (table.row_id)
            values[*table.row_id] = {Type::integer, row_id};
        for (std::size_t i = 0; i < values.size(); ++i)
            if (values[i].type == Type::integer && table.columns[i].real())
                values[i] = {Type::real, 0, static_cast<double>(values[i].integer)};
        return visit({row_id, values});
    };
    return walk_table(pages_, table.root, from, take);
}

}  // namespace amoskys::sqlite
