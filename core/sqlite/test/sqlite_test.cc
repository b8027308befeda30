#include <array>
#include <cstring>
#include <memory>
#include <random>

#include "core/sqlite/database.h"
#include "core/sqlite/test/sqlite_shell.h"

using namespace amoskys;
using namespace amoskys::sqlite;

namespace {

using Path = std::filesystem::path;

Source source_of(std::string bytes) {
    const auto kept = std::make_shared<const std::string>(std::move(bytes));
    return {kept->size(), [kept](std::uint64_t offset, std::span<std::uint8_t> out) -> Result<> {
                REQUIRE(offset + out.size() <= kept->size());
                std::memcpy(out.data(), kept->data() + offset, out.size());
                return {};
            }};
}

Result<Database> open_file(const Path& file) {
    const auto companion = [&](const char* suffix) {
        const auto text = read_file(file.string() + suffix, 1 << 28);
        return text ? source_of(*text) : Source{};
    };
    return Database::open({companion(""), companion("-wal"), companion("-journal")});
}

// As SQLite's quote() writes it.
std::string quoted(const Value& value) {
    std::array<char, 40> real{};
    switch (value.type) {
        case Type::integer:
            return std::to_string(value.integer);
        case Type::real: {
            std::snprintf(real.data(), real.size(), "%.15g", value.real);
            const std::string text = real.data();
            return text.find('.') == std::string::npos ? text + ".0" : text;
        }
        case Type::text:
            return "'" + to_string(value.bytes) + "'";
        case Type::blob: {
            std::string hex = to_hex(value.bytes);
            for (char& c : hex)
                c = static_cast<char>(std::toupper(c));
            return "X'" + hex + "'";
        }
        case Type::absent:
            return "absent";
        case Type::null:
            break;
    }
    return "NULL";
}

Result<std::string> rows_of(const Database& database) {
    AMOSKYS_TRY(table, database.table("wal"));
    AMOSKYS_TRY(count, database.count(table));
    std::string out;
    std::uint64_t rows = 0;
    AMOSKYS_TRY_VOID(database.for_each(table, INT64_MIN, [&](const Row& row) -> Result<bool> {
        ++rows;
        out += std::to_string(row.row_id);
        for (const Value& value : row.values)
            out += "|" + quoted(value);
        out += "\n";
        return true;
    }));
    CHECK(count == rows);
    return out;
}

std::string rows_of(const Path& file) {
    const auto database = open_file(file);
    INFO((database ? "" : database.error().message));
    REQUIRE(database.has_value());
    const auto rows = rows_of(*database);
    INFO((rows ? "" : rows.error().message));
    REQUIRE(rows.has_value());
    return *rows;
}

// The statement that prints the same of the table `wal` with these columns.
std::string select(std::initializer_list<std::string_view> columns) {
    std::string out = "SELECT rowid";
    for (const std::string_view column : columns)
        out += " || '|' || quote(" + std::string(column) + ")";
    return out + " FROM wal ORDER BY rowid;\n";
}

std::string code_of(const Path& file) {
    const auto database = open_file(file);
    if (!database)
        return database.error().code;
    const auto rows = rows_of(*database);
    return rows ? "" : rows.error().code;
}

void patch(const Path& file, std::uint64_t at, std::string_view bytes) {
    std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(static_cast<std::streamoff>(at));
    out << bytes;
}

std::string be32(std::uint32_t value) {
    std::string out(4, '\0');
    store_be32(reinterpret_cast<std::uint8_t*>(out.data()), value);
    return out;
}

// Random rows of every type; sizes gather where a record begins to overflow and fills its pages.
class RowMaker {
  public:
    explicit RowMaker(std::uint32_t page_bytes) : page_bytes_(page_bytes), random_(page_bytes) {}

    std::string insert(int rows) {
        std::string out = "BEGIN;\n";
        for (int i = 0; i < rows; ++i)
            out += "INSERT INTO wal (n, r, t, b) VALUES (" + any() + ", " + number() + ", " +
                   any() + ", " + blob() + ");\n";
        return out + "COMMIT;\n";
    }

  private:
    std::uint32_t below(std::uint32_t limit) {
        return static_cast<std::uint32_t>(random_() % limit);
    }
    std::string number() {
        static constexpr const char* numbers[] = {"0",
                                                  "1",
                                                  "-1",
                                                  "2",
                                                  "127",
                                                  "128",
                                                  "-128",
                                                  "-129",
                                                  "32767",
                                                  "32768",
                                                  "-32769",
                                                  "8388607",
                                                  "8388608",
                                                  "-8388609",
                                                  "2147483647",
                                                  "2147483648",
                                                  "-2147483649",
                                                  "140737488355327",
                                                  "3.0",
                                                  "-0.5",
                                                  "1234567.875",
                                                  "140737488355328",
                                                  "-140737488355329",
                                                  "-7",
                                                  "0.0009765625"};
        return numbers[below(std::size(numbers))];
    }
    std::string any() {
        switch (below(6)) {
            case 0:
                return "NULL";
            case 1:
                return "9223372036854775807";
            case 2:
                return "-9223372036854775807 - 1";
            case 3:
                return "'" + std::string(below(40), 'k') + "'";
            default:
                return number();
        }
    }
    std::string blob() {
        const std::uint32_t size = below(4) == 0   ? below(3 * page_bytes_)
                                   : below(3) == 0 ? page_bytes_ - 80 + below(90)
                                                   : below(60);
        return "randomblob(" + std::to_string(size) + ")";
    }

    std::uint32_t page_bytes_;
    std::minstd_rand random_;
};

constexpr std::string_view create_wal =
    "CREATE TABLE wal (id INTEGER PRIMARY KEY AUTOINCREMENT, n, r REAL, t TEXT, b BLOB);\n";
const std::string select_wal = select({"id", "n", "r", "t", "b"});

std::string pragmas(std::uint32_t page_bytes, std::string_view more = "") {
    return "PRAGMA page_size=" + std::to_string(page_bytes) + ";\n" + std::string(more);
}

// Copies the database and what stands beside it, as they are while sqlite3 has them open.
std::string copy_to(const Path& from, const Path& folder) {
    const std::string name = from.string(), to = " \"" + folder.string() + "\"";
    return ".shell mkdir" + to + "; cp \"" + name + "\" \"" + name + "-wal\" \"" + name +
           "-journal\"" + to + " 2>/dev/null; true\n";
}

}  // namespace

TEST_CASE(
    "rows are those that sqlite3 reads: every page size, overflow, deleted rows, autovacuum") {
    const TempFolder folder;
    for (std::uint32_t page_bytes = page_bytes_min; page_bytes <= page_bytes_max; page_bytes *= 2) {
        const Path file = folder / std::to_string(page_bytes);
        RowMaker rows(page_bytes);
        std::string script = pragmas(page_bytes);
        script += "PRAGMA auto_vacuum=" + std::to_string(page_bytes / 512 % 3) + ";\n";
        script += create_wal;
        script += "CREATE INDEX by_n ON wal (n);\nCREATE TABLE other (x);\n";
        script +=
            rows.insert(1500) + "DELETE FROM wal WHERE id % 3 = 0 OR id BETWEEN 40 AND 110;\n";
        script += rows.insert(100) + "UPDATE wal SET b = randomblob(2000) WHERE id % 50 = 1;\n";
        INFO("pages of " << page_bytes);
        const std::string rows_there = sqlite3_shell(file, script + select_wal);
        CHECK((rows_of(file) == rows_there));
    }
}

TEST_CASE("a table of three levels and negative row ids is read in order") {
    const TempFolder folder;
    const Path file = folder / "a.db";
    const std::string script =
        pragmas(512) + std::string(create_wal) +
        "INSERT INTO wal (id, t) WITH RECURSIVE c(x) AS (SELECT -20000 UNION ALL SELECT x + 7 FROM "
        "c LIMIT 20000) SELECT x, 'row ' || x FROM c;\n" +
        select_wal;
    const std::string rows_there = sqlite3_shell(file, script);
    CHECK((rows_of(file) == rows_there));
}

TEST_CASE("reading begins at any row and ends where the visitor says") {
    const TempFolder folder;
    const Path file = folder / "a.db";
    sqlite3_shell(file,
                  pragmas(512) + std::string(create_wal) +
                      "INSERT INTO wal (id) WITH RECURSIVE c(x) AS (SELECT 3 UNION ALL SELECT x "
                      "+ 3 FROM c LIMIT 5000) SELECT x FROM c;\n");
    const auto database = open_file(file);
    REQUIRE(database.has_value());
    const auto table = database->table("wal");
    REQUIRE(table.has_value());
    for (std::int64_t from = -2; from <= 15002; from += 37) {
        std::vector<std::int64_t> seen;
        const auto read = database->for_each(*table, from, [&](const Row& row) -> Result<bool> {
            seen.push_back(row.row_id);
            return seen.size() < 3;
        });
        REQUIRE(read.has_value());
        std::vector<std::int64_t> expected;
        for (std::int64_t id = std::max<std::int64_t>(3, (from + 2) / 3 * 3);
             id <= 15000 && expected.size() < 3; id += 3)
            expected.push_back(id);
        CHECK(seen == expected);
    }
}

TEST_CASE("pages with reserved octets are read") {
    const TempFolder folder;
    const Path file = folder / "a.db";
    RowMaker rows(1024);
    const std::string made =
        sqlite3_shell(file, ".filectrl reserve_bytes 32\n" + pragmas(1024) +
                                std::string(create_wal) + rows.insert(300) + select_wal);
    CHECK(read_file(file, 1 << 24)->at(20) == 32);
    CHECK((made.substr(made.find('\n') + 1) == rows_of(file)));
}

TEST_CASE("what was committed to the -wal file is read, before and after checkpoints") {
    const TempFolder folder;
    for (const std::uint32_t page_bytes : {512U, 4096U, 65536U}) {
        INFO("pages of " << page_bytes);
        const Path file = folder / std::to_string(page_bytes);
        const auto taken = [&](const char* name) {
            return folder / (std::to_string(page_bytes) + name);
        };
        RowMaker rows(page_bytes);
        const std::string mark = "SELECT '--';\n";
        const std::string out = sqlite3_shell(
            file,
            pragmas(page_bytes, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;\n") +
                std::string(create_wal) + rows.insert(60) + mark + select_wal + mark +
                copy_to(file, taken("only")) + "PRAGMA wal_checkpoint(FULL);\n" + mark +
                copy_to(file, taken("checkpointed")) + rows.insert(7) + mark + select_wal + mark +
                copy_to(file, taken("again")) +
                "PRAGMA cache_size=5; BEGIN; INSERT INTO wal (b) WITH RECURSIVE c(x) AS (SELECT "
                "1 UNION ALL SELECT x + 1 FROM c LIMIT 2000) SELECT randomblob(3000) FROM c;\n" +
                copy_to(file, taken("uncommitted")) + "ROLLBACK;\n");
        std::vector<std::string> parts;
        for (std::size_t at = 0; at < out.size();) {
            const std::size_t end = std::min(out.find("--\n", at), out.size());
            parts.push_back(out.substr(at, end - at));
            at = end + 3;
        }
        REQUIRE(parts.size() >= 5);
        const std::string name = file.filename().string();
        CHECK((rows_of(taken("only") / name) == parts[1]));
        CHECK((rows_of(taken("checkpointed") / name) == parts[1]));
        CHECK((rows_of(taken("again") / name) == parts[4]));
        CHECK(std::filesystem::file_size(taken("uncommitted") / (name + "-wal")) >
              std::filesystem::file_size(taken("again") / (name + "-wal")));
        CHECK((rows_of(taken("uncommitted") / name) == parts[4]));
    }
}

TEST_CASE("a -wal file counts up to its last whole commit, and a damaged header of it is refused") {
    const TempFolder folder;
    const Path file = folder / "a.db";
    sqlite3_shell(file, pragmas(512, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;\n") +
                            std::string(create_wal) + "INSERT INTO wal (t) VALUES ('one');\n" +
                            "INSERT INTO wal (t) VALUES ('two');\n" +
                            copy_to(file, folder / "taken"));
    const Path taken = folder / "taken" / "a.db";
    const Path wal = taken.string() + "-wal";
    const auto size = std::filesystem::file_size(wal);
    CHECK(rows_of(taken) == "1|1|NULL|NULL|'one'|NULL\n2|2|NULL|NULL|'two'|NULL\n");
    SECTION("a flipped bit in the last frame") {
        patch(wal, size - 1, "\x55");
        CHECK(rows_of(taken) == "1|1|NULL|NULL|'one'|NULL\n");
    }
    SECTION("a torn last frame") {
        std::filesystem::resize_file(wal, size - 1);
        CHECK(rows_of(taken) == "1|1|NULL|NULL|'one'|NULL\n");
    }
    SECTION("octets after it") {
        std::ofstream(wal, std::ios::app) << std::string(2000, 'x');
        CHECK(rows_of(taken).ends_with("'two'|NULL\n"));
    }
    SECTION("a header of zeros or less than one: nothing was committed") {
        std::filesystem::resize_file(wal, 31);
        CHECK(code_of(taken) == "sqlite_table");
        std::filesystem::resize_file(wal, 0);
        std::filesystem::resize_file(wal, 4096);
        CHECK(code_of(taken) == "sqlite_table");
    }
    SECTION("a damaged header") {
        patch(wal, 17, "\x55");
        CHECK(code_of(taken) == "sqlite_damaged");
    }
}

TEST_CASE("a -journal file is refused while it is needed, and not after") {
    const TempFolder folder;
    const Path file = folder / "a.db";
    RowMaker rows(512);
    const std::string out = sqlite3_shell(
        file, pragmas(512, "PRAGMA journal_mode=PERSIST; PRAGMA cache_size=5;\n") +
                  std::string(create_wal) + rows.insert(400) + copy_to(file, folder / "whole") +
                  select_wal + "BEGIN; UPDATE wal SET b = randomblob(900);\n" +
                  copy_to(file, folder / "hot") + "ROLLBACK;\n");
    CHECK(code_of(folder / "hot/a.db") == "sqlite_unsupported");
    CHECK(std::filesystem::file_size(folder / "whole/a.db-journal") > 0);
    CHECK((out == "persist\n" + rows_of(folder / "whole/a.db")));
}

TEST_CASE("columns are found in what was typed: row ids, quotes, comments, constraints") {
    const std::pair<const char*, bool> tables[] = {
        {"CREATE TABLE wal (id INTEGER PRIMARY KEY, t)", true},
        {"CREATE TABLE wal(\"id\" integer primary key autoincrement not null, t TEXT)", true},
        {"CREATE TABLE wal ([id] INTEGER, 't' VARCHAR(10, 2), PRIMARY KEY (id))", true},
        {"CREATE TABLE wal (id INTEGER, t, CONSTRAINT k PRIMARY KEY(`id` DESC) CHECK (t IN (1,2) "
         "OR 1))",
         true},
        {"CREATE TABLE wal (id INTEGER CONSTRAINT k PRIMARY KEY ON CONFLICT FAIL, t)", true},
        {"CREATE TABLE wal (id INTEGER PRIMARY KEY DESC, t)", false},
        {"CREATE TABLE wal (id INT PRIMARY KEY, t)", false},
        {"CREATE TABLE wal (id INTEGER, t, PRIMARY KEY (id, t))", false},
        {"CREATE TABLE wal (id INTEGER, t UNIQUE)", false},
        {"CREATE TABLE wal -- a, b)\n (id /* ) INTEGER, */ INTEGER PRIMARY KEY, t DEFAULT ('),(') "
         "CHECK "
         "(t <> ',)'), UNIQUE (t, id))",
         true},
        {"CREATE TABLE \"wal\" (id INTEGER PRIMARY KEY, t REFERENCES other (x) ON DELETE SET "
         "DEFAULT)",
         true},
        {"CREATE TABLE wal (id INTEGER PRIMARY KEY, t DOUBLE PRECISION) STRICT", true},
        {"CREATE TABLE wal AS SELECT 5 AS id, 'x' AS t", false},
    };
    for (const auto& [sql, is_row_id] : tables) {
        INFO(sql);
        const TempFolder folder;
        std::string statement = sql;
        if (statement.ends_with("STRICT"))
            statement.replace(statement.find("DOUBLE PRECISION"), 16, "REAL");
        const std::string rows = sqlite3_shell(
            folder / "a.db",
            statement + ";\nINSERT INTO wal VALUES (5, 3), (9, 4);\n" + select({"id", "t"}));
        CHECK(rows_of(folder / "a.db") == rows);
        const auto database = open_file(folder / "a.db");
        const auto table = database->table("WAL");
        REQUIRE(table.has_value());
        CHECK(table->column("ID") == 0);
        CHECK(table->column("t") == 1);
        CHECK_FALSE(table->column("x").has_value());
        CHECK(table->row_id.has_value() == is_row_id);
    }
}

TEST_CASE("rows older than a column have NULL there, and none where its default is another") {
    const TempFolder folder;
    const Path file = folder / "a.db";
    sqlite3_shell(
        file,
        "CREATE TABLE wal (id INTEGER PRIMARY KEY, x);\nINSERT INTO wal VALUES (1, 'a');\n"
        "ALTER TABLE wal ADD COLUMN y; ALTER TABLE wal ADD COLUMN z DEFAULT NULL;\n"
        "ALTER TABLE wal ADD COLUMN d INTEGER DEFAULT 7;\n"
        "INSERT INTO wal (x, y) VALUES ('b', 2);\n");
    CHECK(rows_of(file) == "1|1|'a'|NULL|NULL|absent\n2|2|'b'|2|NULL|7\n");
    sqlite3_shell(file,
                  "ALTER TABLE wal DROP COLUMN y; ALTER TABLE wal RENAME COLUMN x TO \"new, x\";");
    CHECK(rows_of(file) == "1|1|'a'|NULL|7\n2|2|'b'|NULL|7\n");
    CHECK(open_file(file)->table("wal")->column("new, x") == 1);
}

TEST_CASE("what is not read is refused by name") {
    const std::pair<const char*, const char*> databases[] = {
        {"PRAGMA encoding='UTF-16le'; CREATE TABLE wal (id INTEGER PRIMARY KEY);",
         "sqlite_unsupported"},
        {"PRAGMA encoding='UTF-16be'; CREATE TABLE wal (id INTEGER PRIMARY KEY);",
         "sqlite_unsupported"},
        {"CREATE TABLE wal (id INTEGER PRIMARY KEY, x) WITHOUT ROWID;", "sqlite_unsupported"},
        {"CREATE TABLE wal (id INTEGER PRIMARY KEY, x, y AS (x + 1));", "sqlite_unsupported"},
        {"CREATE TABLE wal (id, y INT GENERATED ALWAYS AS (id) STORED);", "sqlite_unsupported"},
        {"CREATE VIRTUAL TABLE wal USING fts5(x);", "sqlite_unsupported"},
        {"CREATE VIEW wal AS SELECT 1 AS id;", "sqlite_table"},
        {"CREATE TABLE wall (id); CREATE INDEX wal ON wall (id);", "sqlite_table"},
        {"PRAGMA user_version=1;", "sqlite_table"},
    };
    for (const auto& [script, code] : databases) {
        INFO(script);
        const TempFolder folder;
        sqlite3_shell(folder / "a.db", script);
        CHECK(code_of(folder / "a.db") == code);
    }
    const TempFolder folder;
    CHECK(code_of(folder.write("none.db", "")) == "not_sqlite");
    CHECK(code_of(folder.write("other.db", std::string(4096, 'x'))) == "not_sqlite");
}

TEST_CASE("pages that name each other in a ring, and what points outside, end the reading") {
    const TempFolder folder;
    const Path file = folder / "a.db";
    SECTION("a tree") {
        sqlite3_shell(file, pragmas(512) +
                                "CREATE TABLE wal (id INTEGER PRIMARY KEY, x);\n"
                                "INSERT INTO wal (x) WITH RECURSIVE c(x) AS (SELECT 1 UNION "
                                "ALL SELECT x + 1 FROM c LIMIT 300) SELECT x FROM c;\n");
        constexpr std::uint64_t root = 512, first_cell = root + 12;
        REQUIRE(read_file(file, 1 << 20)->at(root) == 0x05);  // page 2
        SECTION("its last page is itself") {
            patch(file, root + 8, be32(2));
        }
        SECTION("its last page is another of its pages") {
            patch(file, root + 8, be32(3));
        }
        SECTION("its last page is the schema") {
            patch(file, root + 8, be32(1));
        }
        SECTION("there is no such page") {
            patch(file, root + 8, be32(1000));
        }
        SECTION("page 0") {
            patch(file, root + 8, be32(0));
        }
        SECTION("a page of another kind") {
            patch(file, root, "\x02");
        }
        SECTION("cells outside of the page") {
            patch(file, first_cell, "\xff\xff");
        }
        SECTION("more cells than fit") {
            patch(file, root + 3, "\xff\xff");
        }
        SECTION("the file is cut") {
            std::filesystem::resize_file(file, std::filesystem::file_size(file) - 512);
        }
    }
    SECTION("an overflow chain") {
        sqlite3_shell(file, pragmas(512) +
                                "CREATE TABLE wal (id INTEGER PRIMARY KEY, x);\n"
                                "INSERT INTO wal (x) VALUES (zeroblob(2000));\n");
        constexpr std::uint64_t end_of_only_cell = 1024, first_overflow = 1024;  // page 3
        REQUIRE(read_file(file, 1 << 20)->substr(end_of_only_cell - 4, 4) == be32(3));
        SECTION("that ends early") {
            patch(file, first_overflow, be32(0));
        }
        SECTION("in a ring") {
            patch(file, first_overflow, be32(3));
        }
        SECTION("that goes on") {
            patch(file, first_overflow + 3 * 512, be32(4));
        }
        SECTION("to a page that is not there") {
            patch(file, end_of_only_cell - 4, be32(99));
        }
    }
    CHECK(code_of(file) == "sqlite_damaged");
}

TEST_CASE("a row above 16 MiB is refused before it is read") {
    const TempFolder folder;
    const Path file = folder / "a.db";
    const auto with_blob = [&](const char* size) {
        sqlite3_shell(file,
                      "DROP TABLE IF EXISTS wal; CREATE TABLE wal (id INTEGER PRIMARY KEY, x);\n"
                      "INSERT INTO wal (x) VALUES (zeroblob(" +
                          std::string(size) + "));\n");
        return code_of(file);
    };
    CHECK(with_blob("16777216 - 6") == "");
    CHECK(with_blob("16777216 - 5") == "sqlite_unsupported");
}

TEST_CASE(
    "any octet changed and any cut of the kept databases ends in rows or one of four errors") {
    const Path corpus = Path(AMOSKYS_SOURCE_DIR) / "test/fuzz/corpus/sqlite_fuzz";
    int databases = 0;
    for (const char* name : {"rows.db", "overflow.db", "autovacuum.db"}) {
        const auto sound = read_file(corpus / name, 1 << 20);
        REQUIRE(sound.has_value());
        const auto outcome = [](const std::string& bytes) {
            const auto database = Database::open({source_of(bytes), {}, {}});
            const auto rows = database ? rows_of(*database) : Result<std::string>(database.error());
            return rows ? std::string() : rows.error().code;
        };
        CHECK(outcome(*sound).empty());
        std::string wrong;
        const auto known = [&](const std::string& code) {
            return code.empty() || code == "not_sqlite" || code == "sqlite_damaged" ||
                   code == "sqlite_unsupported" || code == "sqlite_table";
        };
        for (std::size_t i = 0; i < sound->size(); ++i) {
            std::string changed = *sound;
            changed[i] = static_cast<char>(changed[i] ^ 0xff);
            if (const std::string code = outcome(changed); !known(code))
                wrong += std::to_string(i) + ": " + code + "\n";
        }
        for (std::size_t size = 0; size < sound->size(); size += 64)
            if (const std::string code = outcome(sound->substr(0, size)); !known(code))
                wrong += "cut to " + std::to_string(size) + ": " + code + "\n";
        CHECK(wrong.empty());
        ++databases;
    }
    CHECK(databases == 3);
}
