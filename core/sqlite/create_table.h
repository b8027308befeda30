// What the text of a CREATE TABLE says of the columns; the schema of a database holds it as it was
// typed, comments and quotes included. Sans-io.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace amoskys::sqlite {

inline constexpr std::size_t columns_max = 2000;  // what SQLite itself allows by default

struct Column {
    std::string name;
    std::string type = {};     // as declared, in capitals, without what is in parentheses
    bool has_default = false;  // another than NULL

    bool real() const;  // its whole numbers are stored as integers
};

struct Table {
    std::string name;
    std::uint32_t root = 0;  // page
    std::vector<Column> columns;
    std::optional<std::size_t> row_id;  // the column that is the row id (INTEGER PRIMARY KEY)

    std::optional<std::size_t> column(std::string_view name) const;
};

// As SQLite compares names: ASCII letters of both cases are equal.
bool same_name(std::string_view a, std::string_view b);

// All but `root`. "sqlite_unsupported": virtual tables, WITHOUT ROWID, computed columns;
// "sqlite_damaged": no such statement.
Result<Table> parse_create_table(std::string_view sql);

}  // namespace amoskys::sqlite
