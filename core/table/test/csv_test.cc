#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <limits>

#include "core/base/csv.h"
#include "core/base/file.h"
#include "core/base/test/temp_folder.h"
#include "core/table/writer.h"

using namespace amoskys;
using namespace amoskys::table;

namespace {

constexpr double missing_double = std::numeric_limits<double>::quiet_NaN();

Schema all_types() {
    return {.fields = {{.name = "device", .type = Type::text},
                       {.name = "time", .type = Type::timestamp},
                       {.name = "x"},
                       {.name = "count", .type = Type::int64},
                       {.name = "is, or not", .type = Type::boolean}}};
}

}  // namespace

TEST_CASE("a CSV table has a header, one line a row, and empty cells for what is missing") {
    TempFolder folder;
    const Schema schema = all_types();
    auto writer = open_csv(folder.path / "t.csv", schema).value();
    Batch batch(schema);
    batch.text(0).add("a");
    batch.int64(1).push_back(1'730'000'010'000'000'001);
    batch.float64(2).push_back(1.0 / 3);
    batch.int64(3).push_back(-5);
    batch.boolean(4).push_back(1);
    batch.text(0).add("say \"a,b\"");
    batch.int64(1).push_back(0);
    batch.float64(2).push_back(-std::numeric_limits<double>::infinity());
    batch.int64(3).push_back(9'007'199'254'740'993);
    batch.boolean(4).push_back(0);
    REQUIRE(writer->write(batch));
    batch.clear();
    batch.text(0).codes.push_back(missing_text);
    batch.int64(1).push_back(missing_int64);
    batch.float64(2).push_back(missing_double);
    batch.int64(3).push_back(missing_int64);
    batch.boolean(4).push_back(missing_boolean);
    batch.text(0).add("");
    batch.int64(1).push_back(missing_int64);
    batch.float64(2).push_back(-0.0);
    batch.int64(3).push_back(0);
    batch.boolean(4).push_back(missing_boolean);
    REQUIRE(writer->write(batch));
    REQUIRE(writer->finish());
    CHECK(folder.text("t.csv") ==
          "device,time,x,count,\"is, or not\"\r\n"
          "a,2024-10-27T03:33:30.000000001Z,0.333333333,-5,true\r\n"
          "\"say \"\"a,b\"\"\",1970-01-01T00:00:00.000000000Z,-inf,9007199254740993,false\r\n"
          ",,,,\r\n"
          "\"\",,0,0,\r\n");
}

TEST_CASE("a table that is not finished leaves no file") {
    TempFolder folder;
    REQUIRE(write_file_atomic(folder.path / "t.csv", "old", 0644));
    {
        auto writer = open_csv(folder.path / "t.csv", all_types()).value();
        REQUIRE(writer->write(Batch(all_types())));
    }
    CHECK(folder.names() == std::vector<std::string>{"t.csv"});
    CHECK(folder.text("t.csv") == "old");
}

TEST_CASE("a folder that is not there is an error with its path") {
    const auto refused = open_csv("/nonexistent/t.csv", all_types());
    REQUIRE(refused.has_error());
    CHECK(refused.error().message.find("/nonexistent/.t.csv.partial") != std::string::npos);
}

TEST_CASE("a full disk is an error and leaves the old file") {
    TempFolder folder;
    REQUIRE(write_file_atomic(folder.path / "t.csv", "old", 0644));
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    const rlimit small{1000, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    const Schema schema{.fields = {{.name = "x"}}};
    Result<> written;
    {
        auto writer = open_csv(folder.path / "t.csv", schema).value();
        Batch batch(schema);
        batch.float64(0).assign(1000, 0.5);
        written = writer->write(batch);
        if (written)
            written = writer->finish();
    }
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, SIG_DFL);
    REQUIRE(written.has_error());
    CHECK(written.error().kind == ErrorKind::io);
    CHECK(folder.names() == std::vector<std::string>{"t.csv"});
    CHECK(folder.text("t.csv") == "old");
}

TEST_CASE("a device's text cannot break a table") {
    TempFolder folder;
    const std::vector<std::string> hostile = {"line\r\nbreak", std::string("nul\0l", 5),
                                              "\xff\xfe",      "\x1b[2J",
                                              "quote\"comma,", std::string(1 << 20, '"')};
    const std::vector<std::string> shown = {"line\\x0d\\x0abreak", "nul\\x00l",
                                            "\\xff\\xfe",          "\\x1b[2J",
                                            "quote\"comma,",       std::string(1 << 20, '"')};
    Schema schema{.fields = {{.name = "d\nname", .type = Type::text}, {.name = "x"}}};
    auto writer = open_csv(folder.path / "t.csv", schema).value();
    Batch batch(schema);
    for (const std::string& text : hostile) {
        batch.text(0).add(text);
        batch.float64(1).push_back(1);
    }
    REQUIRE(writer->write(batch));
    REQUIRE(writer->finish());
    const std::string text = read_file(folder.path / "t.csv", 1 << 23).value();
    CsvReader reader(text, "t.csv");
    std::vector<CsvCell> cells;
    REQUIRE(reader.next(cells).value());
    CHECK(cells[0].text == "d\\x0aname");
    for (const std::string& expected : shown) {
        REQUIRE(reader.next(cells).value());
        CHECK((cells[0].text == expected));
        CHECK(cells[1].text == "1");
    }
    CHECK_FALSE(reader.next(cells).value());
}
