#include "modules/tools/inspect/legacy_db.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "core/base/file.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::uintmax_t database_bytes_max = 4ULL << 30;
constexpr std::string_view table_hint = "expected: table wal (id, idem, ts_ns, bytes, checksum)";

Result<> read_at(int fd, const fs::path& file, std::uint64_t offset, std::span<std::uint8_t> out) {
    while (!out.empty()) {
        const ssize_t n = ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno_error("import_read", "cannot read " + file.string(), errno);
        if (n == 0)
            return make_error(ErrorKind::bad_data, "sqlite_damaged", "it became shorter");
        offset += static_cast<std::uint64_t>(n);
        out = out.subspan(static_cast<std::size_t>(n));
    }
    return {};
}

// Of a file that is not there: no octets.
Result<sqlite::Source> source(const fs::path& file) {
    std::error_code failed;
    if (!fs::is_regular_file(file, failed))
        return sqlite::Source{};
    const auto size = fs::file_size(file, failed);
    if (failed || size > database_bytes_max)
        return make_error(
            ErrorKind::bad_data, "import_too_large",
            file.string() + ": " + std::to_string(size) + " bytes; at most 4 GiB can be imported");
    const auto fd =
        std::make_shared<const FileDescriptor>(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!*fd)
        return errno_error("import_open", "cannot open " + file.string(), errno);
    return sqlite::Source{size, [fd, file](std::uint64_t offset, std::span<std::uint8_t> out) {
                              return read_at(fd->get(), file, offset, out);
                          }};
}

// What core/sqlite calls its errors, and what they are here.
struct CodeOfImport {
    std::string_view theirs, ours, hint;
};
constexpr CodeOfImport codes[] = {{"not_sqlite", "import_not_sqlite", ""},
                                  {"sqlite_damaged", "import_damaged", ""},
                                  {"sqlite_unsupported", "import_unsupported", ""},
                                  {"sqlite_table", "import_schema", table_hint}};

Error told_of(const fs::path& file, Error error) {
    for (const CodeOfImport& code : codes) {
        if (error.code != code.theirs)
            continue;
        error.code = code.ours;
        error.message = file.string() + ": " + error.message;
        if (error.hint.empty())
            error.hint = code.hint;
        break;
    }
    return error;
}

std::string stamp_of(const fs::path& file) {
    return file_stamp(file) + file_stamp(file.string() + "-wal");
}

Result<sqlite::Database> open_database(const fs::path& file) {
    AMOSKYS_TRY(database, source(file));
    AMOSKYS_TRY(wal, source(file.string() + "-wal"));
    AMOSKYS_TRY(journal, source(file.string() + "-journal"));
    return sqlite::Database::open({std::move(database), std::move(wal), std::move(journal)});
}

}  // namespace

Result<LegacyDatabase> LegacyDatabase::open(const fs::path& file) {
    std::error_code failed;
    const auto status = fs::status(file, failed);
    if (!fs::exists(status))
        return make_error(ErrorKind::no_input, "import_missing", "no file at " + file.string());
    if (!fs::is_regular_file(status))
        return make_error(ErrorKind::bad_data, "import_not_sqlite",
                          file.string() + " is not a file");
    if (fs::file_size(file, failed) == 0 && !failed)
        return make_error(ErrorKind::bad_data, "import_not_sqlite",
                          file.string() + " is empty, which is no SQLite database");
    const std::string stamp = stamp_of(file);
    auto opened = open_database(file);
    if (!opened)
        return told_of(file, std::move(opened).error());
    LegacyDatabase out(std::move(*opened));
    out.file_ = file;
    out.stamp_ = stamp;
    AMOSKYS_TRY_VOID(out.find_columns());
    return out;
}

Result<> LegacyDatabase::find_columns() {
    auto table = database_.table("wal");
    if (!table)
        return told(std::move(table).error());
    table_ = std::move(*table);
    const auto id = table_.column("id"), idem = table_.column("idem");
    const auto ts_ns = table_.column("ts_ns"), bytes = table_.column("bytes");
    const auto checksum = table_.column("checksum");
    if (!id || !idem || !ts_ns || !bytes || !checksum || id != table_.row_id)
        return make_error(ErrorKind::bad_data, "import_schema",
                          file_.string() +
                              ": table wal has other columns, or its id is no "
                              "INTEGER PRIMARY KEY",
                          std::string(table_hint));
    columns_ = {*ts_ns, *bytes, *checksum};
    return {};
}

Result<> LegacyDatabase::unchanged() const {
    if (stamp_of(file_) == stamp_)
        return {};
    return make_error(ErrorKind::unavailable, "import_busy",
                      file_.string() + " changed while it was read",
                      "stop its writer, or import a copy of it and of the -wal file beside it");
}

Error LegacyDatabase::told(Error error) const {
    Error out = told_of(file_, error);
    if (const auto same = unchanged(); !same && out.code != error.code)
        return same.error();  // why it looks damaged
    return out;
}

Result<std::uint64_t> LegacyDatabase::count() const {
    auto counted = database_.count(table_);
    if (!counted)
        return told(std::move(counted).error());
    AMOSKYS_TRY_VOID(unchanged());
    return *counted;
}

Result<> LegacyDatabase::for_each(
    std::int64_t from, const std::function<Result<bool>(const LegacyRow&)>& visit) const {
    const auto take = [&](const sqlite::Row& row) -> Result<bool> {
        const sqlite::Value& time = row.values[columns_.ts_ns];
        const sqlite::Value& bytes = row.values[columns_.bytes];
        const sqlite::Value& checksum = row.values[columns_.checksum];
        LegacyRow out;
        out.id = row.row_id;
        out.typed = time.type == sqlite::Type::integer && bytes.type == sqlite::Type::blob &&
                    checksum.type == sqlite::Type::blob;
        if (out.typed) {
            out.ts_ns = time.integer;
            out.bytes = bytes.bytes;
            out.checksum = checksum.bytes;
        }
        return visit(out);
    };
    if (auto read = database_.for_each(table_, from, take); !read)
        return told(std::move(read).error());
    return unchanged();
}

}  // namespace amoskys::modules::inspect
