// Any database, followed by its -wal file: reading ends, stays inside the two, gives row ids that
// rise and as many rows as are counted. What is no database is taken for a CREATE TABLE.
#include <cstdlib>

#include "core/sqlite/database.h"

using namespace amoskys;
using namespace amoskys::sqlite;

namespace {

Source source_of(ByteView bytes) {
    return {bytes.size(), [bytes](std::uint64_t offset, std::span<std::uint8_t> out) -> Result<> {
                if (offset > bytes.size() || out.size() > bytes.size() - offset)
                    std::abort();
                std::copy_n(bytes.data() + offset, out.size(), out.data());
                return {};
            }};
}

// Where the database ends, by its header.
std::size_t database_bytes(ByteView input) {
    if (input.size() < 100)
        return input.size();
    const auto page = static_cast<std::uint64_t>(input[16] << 8 | input[17]);
    return std::min<std::uint64_t>((page == 1 ? page_bytes_max : page) * load_be32(&input[28]),
                                   input.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input(data, size);
    if (!as_text(input).starts_with("SQLite")) {
        (void)parse_create_table(as_text(input));
        return 0;
    }
    const std::size_t end = database_bytes(input);
    Files files{.database = source_of(input.first(end)), .wal = source_of(input.subspan(end))};
    const auto database = Database::open(std::move(files));
    if (!database)
        return 0;
    const auto table = database->table("wal");
    if (!table)
        return 0;
    const auto counted = database->count(*table);
    std::uint64_t rows = 0, sum = 0;
    std::int64_t last = 0;
    const auto read = database->for_each(*table, INT64_MIN, [&](const Row& row) -> Result<bool> {
        if ((rows++ != 0 && row.row_id <= last) || row.values.size() != table->columns.size())
            std::abort();
        last = row.row_id;
        for (const Value& value : row.values)
            for (const std::uint8_t octet : value.bytes)
                sum += octet;
        return true;
    });
    if (read && (!counted || *counted != rows))
        std::abort();
    return sum == UINT64_MAX ? 1 : 0;
}
