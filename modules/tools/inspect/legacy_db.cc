#include "modules/tools/inspect/legacy_db.h"

#include <sqlite3.h>
#include <stdlib.h>

#include <array>
#include <cerrno>

#include "core/base/text.h"

namespace amoskys::modules::inspect {

namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t file_bytes_max = 4ULL << 30;
constexpr int row_bytes_max = 16 << 20;
constexpr std::array<const char*, 2> companions{"-wal", "-journal"};

std::string uri_of(const fs::path& file, std::string_view parameters) {
    static constexpr std::string_view plain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-";
    std::string out = "file:";
    for (const char c : fs::absolute(file).string()) {
        if (plain.find(c) != std::string_view::npos) {
            out += c;
        } else {
            const auto octet = static_cast<std::uint8_t>(c);
            out += "%" + to_hex(ByteView(&octet, 1));
        }
    }
    return out + "?" + std::string(parameters);
}

bool has_content(const fs::path& file) {
    std::error_code missing;
    const auto size = fs::file_size(file, missing);
    return !missing && size != 0;
}

// A copy of a database and its companion files, removed with the object.
class Copy {
  public:
    static Result<Copy> make(const fs::path& file) {
        std::error_code failed;
        std::string pattern = (fs::temp_directory_path(failed) / "amoskys_import_XXXXXX").string();
        if (failed || ::mkdtemp(pattern.data()) == nullptr)
            return errno_error("import_copy", "cannot make a folder like " + pattern, errno);
        Copy out;
        out.folder_ = pattern;
        out.file_ = out.folder_ / "copy.db";
        fs::copy_file(file, out.file_, failed);
        for (const char* suffix : companions)
            if (!failed && has_content(file.string() + suffix))
                fs::copy_file(file.string() + suffix, out.file_.string() + suffix, failed);
        if (failed)
            return errno_error("import_copy", "cannot copy " + file.string(), failed.value());
        return out;
    }
    Copy() = default;
    Copy(Copy&& other) noexcept
        : folder_(std::exchange(other.folder_, {})), file_(std::move(other.file_)) {}
    Copy& operator=(Copy&& other) noexcept {
        std::swap(folder_, other.folder_);
        std::swap(file_, other.file_);
        return *this;
    }
    ~Copy() {
        std::error_code ignored;  // a temporary folder: whoever cleans there finds it
        if (!folder_.empty())
            fs::remove_all(folder_, ignored);
    }
    const fs::path& file() const { return file_; }

  private:
    fs::path folder_, file_;
};

struct CloseDatabase {
    void operator()(sqlite3* database) const { sqlite3_close(database); }
};
struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

ByteView blob(sqlite3_stmt* row, int column) {
    const void* data = sqlite3_column_blob(row, column);
    return {static_cast<const std::uint8_t*>(data),
            static_cast<std::size_t>(sqlite3_column_bytes(row, column))};
}

}  // namespace

struct LegacyDatabase::Impl {
    Error error(int rc, std::string_view doing) const {
        const std::string why = database ? sqlite3_errmsg(database.get()) : sqlite3_errstr(rc);
        const std::string text = file.string() + ": " + std::string(doing) + ": " + printable(why);
        switch (rc & 0xff) {
            case SQLITE_NOTADB:
                return make_error(ErrorKind::bad_data, "import_not_sqlite",
                                  file.string() + " is not an SQLite database");
            case SQLITE_CORRUPT:
                return make_error(ErrorKind::bad_data, "import_damaged", text);
            case SQLITE_ERROR:
                return make_error(ErrorKind::bad_data, "import_schema", text,
                                  "expected: table wal (id, idem, ts_ns, bytes, checksum)");
            case SQLITE_CANTOPEN:
            case SQLITE_PERM:
                return make_error(ErrorKind::permission, "import_open", text);
            case SQLITE_BUSY:
                return make_error(ErrorKind::unavailable, "import_busy", text);
            default:
                return make_error(ErrorKind::io, "import_read", text);
        }
    }

    Result<Statement> prepare(const char* sql) const {
        sqlite3_stmt* raw = nullptr;
        const int rc = sqlite3_prepare_v2(database.get(), sql, -1, &raw, nullptr);
        Statement out(raw);
        if (rc != SQLITE_OK)
            return error(rc, "cannot read the table");
        return out;
    }

    Result<> open() {
        const bool companion = has_content(file.string() + companions[0]) ||
                               has_content(file.string() + companions[1]);
        if (std::error_code failed; !companion && fs::file_size(file, failed) == 0 && !failed)
            return make_error(ErrorKind::bad_data, "import_not_sqlite",
                              file.string() + " is empty, which is no SQLite database");
        if (companion) {
            AMOSKYS_TRY(made, Copy::make(file));
            copy = std::move(made);
        }
        const std::string uri =
            companion ? uri_of(copy.file(), "mode=rw") : uri_of(file, "immutable=1");
        const int flags =
            SQLITE_OPEN_URI | (companion ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
        sqlite3* raw = nullptr;
        const int rc = sqlite3_open_v2(uri.c_str(), &raw, flags, nullptr);
        database.reset(raw);
        if (rc != SQLITE_OK)
            return error(rc, "cannot open");
        sqlite3_limit(raw, SQLITE_LIMIT_LENGTH, row_bytes_max);
        // A file from outside: no functions of its schema may run.
        sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
        sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
        // One snapshot for both passes.
        const int begun = sqlite3_exec(raw, "BEGIN", nullptr, nullptr, nullptr);
        return begun == SQLITE_OK ? Result<>() : error(begun, "cannot begin to read");
    }

    fs::path file;
    Copy copy;  // before database: outlives it
    std::unique_ptr<sqlite3, CloseDatabase> database;
};

LegacyDatabase::LegacyDatabase() : impl_(std::make_unique<Impl>()) {}
LegacyDatabase::~LegacyDatabase() = default;

Result<std::unique_ptr<LegacyDatabase>> LegacyDatabase::open(const fs::path& file) {
    std::error_code failed;
    const auto status = fs::status(file, failed);
    if (!fs::exists(status))
        return make_error(ErrorKind::no_input, "import_missing", "no file at " + file.string());
    if (!fs::is_regular_file(status))
        return make_error(ErrorKind::bad_data, "import_not_sqlite",
                          file.string() + " is not a file");
    const auto size = fs::file_size(file, failed);
    if (failed || size > file_bytes_max)
        return make_error(
            ErrorKind::bad_data, "import_too_large",
            file.string() + ": " + std::to_string(size) + " bytes; at most 4 GiB can be imported");
    std::unique_ptr<LegacyDatabase> out(new LegacyDatabase());
    out->impl_->file = file;
    AMOSKYS_TRY_VOID(out->impl_->open());
    return out;
}

Result<std::uint64_t> LegacyDatabase::count() {
    AMOSKYS_TRY(statement, impl_->prepare("SELECT count(*) FROM wal"));
    const int rc = sqlite3_step(statement.get());
    if (rc != SQLITE_ROW)
        return impl_->error(rc, "cannot count the rows");
    return static_cast<std::uint64_t>(sqlite3_column_int64(statement.get(), 0));
}

Result<> LegacyDatabase::for_each(const std::function<Result<>(const LegacyRow&)>& visit) {
    AMOSKYS_TRY(statement,
                impl_->prepare("SELECT id, idem, ts_ns, bytes, checksum FROM wal ORDER BY id"));
    sqlite3_stmt* row = statement.get();
    for (;;) {
        const int rc = sqlite3_step(row);
        if (rc == SQLITE_DONE)
            return {};
        if (rc != SQLITE_ROW)
            return impl_->error(rc, "cannot read the rows");
        const bool typed = sqlite3_column_type(row, 0) == SQLITE_INTEGER &&
                           sqlite3_column_type(row, 2) == SQLITE_INTEGER &&
                           sqlite3_column_type(row, 3) == SQLITE_BLOB &&
                           sqlite3_column_type(row, 4) == SQLITE_BLOB;
        LegacyRow out;
        out.id = sqlite3_column_int64(row, 0);
        if (!typed)
            return make_error(
                ErrorKind::bad_data, "import_row",
                impl_->file.string() + ": row " + std::to_string(out.id) +
                    ": expected integers in id and ts_ns, blobs in bytes and checksum");
        out.idempotency_key = as_text(blob(row, 1));
        out.ts_ns = sqlite3_column_int64(row, 2);
        out.bytes = blob(row, 3);
        out.checksum = blob(row, 4);
        AMOSKYS_TRY_VOID(visit(out));
    }
}

}  // namespace amoskys::modules::inspect
