// The earlier system's log: an SQLite file with a table `wal` (id, idem, ts_ns, bytes, checksum).
// Read in one read transaction; nothing is written to the file or made beside it. The only place
// that knows SQLite. One thread.
//
// Where no -wal or -journal file with content stands beside it, the file is opened immutable (a
// plain open would create files there); otherwise file and companion are copied to a private
// temporary folder, and the copy is opened. Limits: 4 GiB a file, 16 MiB a row.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace amoskys::modules::inspect {

struct LegacyRow {
    std::int64_t id = 0;
    std::string_view idempotency_key;
    std::int64_t ts_ns = 0;
    ByteView bytes, checksum;
};

class LegacyDatabase {
  public:
    // no_input "import_missing"; bad_data "import_not_sqlite", "import_schema", "import_damaged".
    static Result<std::unique_ptr<LegacyDatabase>> open(const std::filesystem::path& file);
    ~LegacyDatabase();
    LegacyDatabase(const LegacyDatabase&) = delete;
    LegacyDatabase& operator=(const LegacyDatabase&) = delete;

    Result<std::uint64_t> count();
    // In the order of id. Views are valid during the call; an error of visit ends it.
    Result<> for_each(const std::function<Result<>(const LegacyRow&)>& visit);

  private:
    LegacyDatabase();
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace amoskys::modules::inspect
