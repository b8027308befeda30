// The earlier system's log: an SQLite file with a table `wal` (id, idem, ts_ns, bytes, checksum).
// Read where it stands, with the -wal file beside it; nothing is written, locked or made there. One
// thread.
//
// A file that changes while it is read is refused at the end of the pass (device, size, time of
// change): what was read may be of two moments. Limits: 4 GiB a file, 16 MiB a row.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "core/sqlite/database.h"

namespace amoskys::modules::inspect {

struct LegacyRow {
    std::int64_t id = 0;
    bool typed = false;  // integers in id and ts_ns, blobs in bytes and checksum; else none of them
    std::int64_t ts_ns = 0;
    ByteView bytes, checksum;
};

class LegacyDatabase {
  public:
    // no_input "import_missing"; permission "import_open"; bad_data "import_not_sqlite",
    // "import_schema", "import_unsupported", "import_damaged"; unavailable "import_busy".
    static Result<LegacyDatabase> open(const std::filesystem::path& file);

    Result<std::uint64_t> count() const;
    // From this id on, in their order. Views are valid during the call; false or an error of visit
    // ends it.
    Result<> for_each(std::int64_t from,
                      const std::function<Result<bool>(const LegacyRow&)>& visit) const;
    const std::filesystem::path& file() const { return file_; }

  private:
    // Where the columns that are read stand in the table.
    struct Columns {
        std::size_t ts_ns = 0, bytes = 0, checksum = 0;
    };
    explicit LegacyDatabase(sqlite::Database database) : database_(std::move(database)) {}
    Result<> find_columns();
    // An error of core/sqlite, told of this file; "import_busy" where the file changed.
    Error told(Error error) const;
    Result<> unchanged() const;

    sqlite::Database database_;
    sqlite::Table table_;
    Columns columns_;
    std::filesystem::path file_;
    std::string stamp_;
};

}  // namespace amoskys::modules::inspect
