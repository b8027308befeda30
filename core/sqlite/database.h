// SQLite databases read in place, for `inspect import`: ordinary tables of a file that may have
// been made to do harm. Nothing is written, locked or made beside it; whoever reads a file in use
// has to see for himself that it did not change meanwhile. Sans-io; one thread.
#pragma once

#include "core/sqlite/create_table.h"
#include "core/sqlite/pages.h"
#include "core/sqlite/record.h"

namespace amoskys::sqlite {

struct Row {
    std::int64_t row_id = 0;
    std::span<const Value> values;  // as Table::columns
};

// Errors: bad_data "not_sqlite", "sqlite_damaged", "sqlite_unsupported", "sqlite_table" (there is
// none of that name); those of the sources. Messages do not name the file.
class Database {
  public:
    static Result<Database> open(Files files);

    Result<Table> table(std::string_view name) const;
    Result<std::uint64_t> count(const Table& table) const;
    // Rows from this id on, in the order of the ids. Views are valid during the call; false or an
    // error of visit ends it.
    Result<> for_each(const Table& table, std::int64_t from,
                      const std::function<Result<bool>(const Row&)>& visit) const;

  private:
    explicit Database(Pages pages) : pages_(std::move(pages)) {}

    Pages pages_;
};

}  // namespace amoskys::sqlite
