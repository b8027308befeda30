#include <sys/wait.h>

#include <array>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>

#include "core/base/number_text.h"
#include "core/base/test/temp_folder.h"
#include "core/base/text.h"
#include "core/json/json.h"
#include "core/table/parquet.h"
#include "core/table/writer.h"

using namespace amoskys;
using namespace amoskys::table;

namespace {

constexpr double missing_double = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

struct Output {
    int status = -1;
    std::string text;
};

Output run_command(const std::string& command) {
    Output out;
    std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::array<char, 4096> piece{};
    while (const std::size_t n = std::fread(piece.data(), 1, piece.size(), pipe))
        out.text.append(piece.data(), n);
    const int status = ::pclose(pipe);
    out.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return out;
}

// The values of a batch, as read_parquet.mjs expects them.
void expect(Json& columns, const Schema& schema, const Batch& batch) {
    const auto number = [](double value) {
        std::string text;
        append_number(text, value, shortest_digits);
        return text;
    };
    for (std::size_t i = 0; i < batch.columns(); ++i) {
        Json& values = columns[i]["values"];
        if (schema.fields[i].type == Type::float64)
            for (const double v : std::get<0>(batch.column(i)))
                values.push_back(std::isnan(v) ? Json() : Json(number(v)));
        else if (const auto* wholes = std::get_if<1>(&batch.column(i)))
            for (const std::int64_t v : *wholes)
                values.push_back(v == missing_int64 ? Json() : Json(std::to_string(v)));
        else if (const auto* truths = std::get_if<2>(&batch.column(i)))
            for (const std::uint8_t v : *truths)
                values.push_back(v == missing_boolean ? Json() : Json(v != 0));
        else
            for (const std::uint32_t code : std::get<3>(batch.column(i)).codes)
                values.push_back(
                    code == missing_text
                        ? Json()
                        : Json(printable(std::get<3>(batch.column(i)).texts.at(code))));
    }
}

struct Case {
    Schema schema;
    ParquetOptions options;
    std::vector<Batch> batches;
    int row_groups = 1;
};

// Writes the file and lets the three readers read it.
void check_readers(const Case& table) {
    TempFolder folder;
    const auto path = folder.path / "t.parquet";
    auto writer = open_parquet(path, table.schema, table.options).value();
    Json columns = Json::array();
    constexpr std::array names = {"float64", "int64", "boolean", "text", "timestamp"};
    for (const Field& field : table.schema.fields)
        columns.push_back({{"name", printable(field.name)},
                           {"type", names[static_cast<std::size_t>(field.type)]},
                           {"unit", field.unit},
                           {"values", Json::array()}});
    std::size_t rows = 0;
    for (const Batch& batch : table.batches) {
        REQUIRE(writer->write(batch));
        expect(columns, table.schema, batch);
        rows += batch.rows();
    }
    REQUIRE(writer->finish());
    CHECK(folder.names() == std::vector<std::string>{"t.parquet"});
    const Json expected = {
        {"rows", rows}, {"row_groups", table.row_groups}, {"columns", std::move(columns)}};
    REQUIRE(write_file_atomic(folder.path / "expected.json", json::dump(expected), 0644));

    const std::string source = AMOSKYS_SOURCE_DIR;
    Output where = run_command(source + "/packaging/npm_install parquet_readers --where");
    if (where.status != 0 || run_command("node --version").status != 0) {
        WARN("no readers of Parquet here (packaging/setup --test installs them): not compared");
        return;
    }
    where.text.pop_back();
    const Output read =
        run_command("node '" + source + "/core/table/test/read_parquet.mjs' '" + where.text +
                    "' '" + path.string() + "' '" + (folder.path / "expected.json").string() + "'");
    INFO(read.text);
    CHECK(read.status == 0);
}

Schema all_types() {
    return {.fields = {{.name = "device_id", .type = Type::text, .nullable = false},
                       {.name = "start", .type = Type::timestamp, .nullable = false, .unit = "ns"},
                       {.name = "load", .unit = "%", .stage = "window_stats", .formula = "mean"},
                       {.name = "always", .nullable = false},
                       {.name = "count", .type = Type::int64},
                       {.name = "flag", .type = Type::boolean},
                       {.name = "note", .type = Type::text}},
            .metadata = {{"made_for", "a test"}}};
}

Batch random_batch(const Schema& schema, std::mt19937_64& random, std::size_t rows,
                   unsigned missing_percent) {
    Batch batch(schema);
    const auto missing = [&] { return random() % 100 < missing_percent; };
    for (std::size_t i = 0; i < rows; ++i) {
        batch.text(0).add("device " + std::to_string(i / 50));
        batch.int64(1).push_back(1'730'000'010'000'000'000 + static_cast<std::int64_t>(i) * 7);
        double value = std::bit_cast<double>(random());
        while (std::isnan(value))
            value = std::bit_cast<double>(random());
        batch.float64(2).push_back(missing() ? missing_double : value);
        batch.float64(3).push_back(static_cast<double>(random() % 1000) / 8);
        batch.int64(4).push_back(missing() ? missing_int64
                                           : static_cast<std::int64_t>(random() | 1));
        batch.boolean(5).push_back(missing() ? missing_boolean
                                             : static_cast<std::uint8_t>(random() % 2));
        if (missing())
            batch.text(6).codes.push_back(missing_text);
        else
            batch.text(6).add(std::to_string(random() % (i % 3 == 0 ? 5 : 100000)));
    }
    return batch;
}

}  // namespace

TEST_CASE("three readers read every type, with and without missing values, in every compression") {
    std::mt19937_64 random(5);
    for (const Compression compression :
         {Compression::none, Compression::snappy, Compression::zstd})
        for (const unsigned missing : {0U, 13U, 100U}) {
            INFO("compression " << static_cast<int>(compression) << ", missing " << missing);
            Case table{.schema = all_types(), .options = {.compression = compression}};
            table.batches.push_back(random_batch(table.schema, random, 777, missing));
            table.batches.push_back(random_batch(table.schema, random, 100, 0));
            check_readers(table);
        }
}

TEST_CASE("three readers read a table of many row groups that batches do not line up with") {
    std::mt19937_64 random(6);
    Case table{.schema = all_types(),
               .options = {.compression = Compression::snappy, .row_group_rows = 300}};
    for (const std::size_t rows : {1, 299, 1, 700, 0, 199})
        table.batches.push_back(random_batch(table.schema, random, rows, 5));
    table.row_groups = 4;
    check_readers(table);
}

TEST_CASE("three readers read a table without rows, of one value, of zeros and infinities") {
    Case table{.schema = all_types()};
    table.row_groups = 0;
    check_readers(table);
    Case one{.schema = {.fields = {{.name = "x"}, {.name = "y"}}}};
    Batch batch(one.schema);
    for (const double x : {0.0, -0.0, infinity, -infinity, 5e-324, missing_double}) {
        batch.float64(0).push_back(x);
        batch.float64(1).push_back(0.0);
    }
    one.batches.push_back(batch);
    check_readers(one);
}

TEST_CASE("three readers read a device's text, whatever is in it") {
    Case table{.schema = {.fields = {{.name = "with \"quotes\", commas\nand lines",
                                      .type = Type::text,
                                      .unit = "\xff"}}}};
    table.schema.fields[0].unit = "u\"\\";
    Batch batch(table.schema);
    for (const std::string& text :
         {std::string("plain"), std::string(), std::string("nul\0l", 5),
          std::string("\xff\xfe\x80"), std::string("\x1b[2J\r\n"),
          std::string("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80"), std::string("'; drop table x; --"),
          std::string(1 << 20, 'x'), std::string(1 << 20, '\1')})
        batch.text(0).add(text);
    table.batches.push_back(batch);
    table.batches.push_back(batch);
    check_readers(table);
}

TEST_CASE("a row group ends where its texts are long, and memory with it") {
    Case table{.schema = {.fields = {{.name = "t", .type = Type::text}}},
               .options = {.row_group_bytes = 4 << 20}};
    for (char c = 'a'; c < 'm'; ++c) {
        Batch batch(table.schema);
        batch.text(0).add(std::string(1 << 20, c));
        table.batches.push_back(batch);
    }
    table.row_groups = 3;
    check_readers(table);
}

TEST_CASE("three readers read two thousand columns") {
    std::mt19937_64 random(8);
    Case table{.schema = {}, .options = {.row_group_bytes = 1 << 20}};
    for (int i = 0; i < 2000; ++i)
        table.schema.fields.push_back({.name = "metric_" + std::to_string(i), .unit = "B/s"});
    Batch batch(table.schema);
    for (std::size_t i = 0; i < 2000; ++i)
        for (int row = 0; row < 100; ++row)
            batch.float64(i).push_back(static_cast<double>(random() % 100000) / 16);
    table.batches.push_back(std::move(batch));
    table.row_groups = 2;  // 65 rows of 16,000 bytes are 1 MiB
    check_readers(table);
}

TEST_CASE("runs and packed groups of a hybrid are as the format has them") {
    const auto hybrid = [](const std::vector<std::uint32_t>& values, int bit_width) {
        std::string out;
        parquet::append_hybrid(out, values, bit_width);
        return out;
    };
    // The format's own example: 0 to 7 in 3 bits.
    CHECK(hybrid({0, 1, 2, 3, 4, 5, 6, 7}, 3) == "\x03\x88\xc6\xfa");
    CHECK(hybrid(std::vector<std::uint32_t>(100, 5), 3) == std::string("\xc8\x01\x05", 3));
    CHECK(hybrid({1}, 1) == "\x03\x01");
    CHECK(hybrid({}, 1).empty());
    CHECK(parquet::bit_width_for(1) == 1);
    CHECK(parquet::bit_width_for(2) == 1);
    CHECK(parquet::bit_width_for(3) == 2);
    CHECK(parquet::bit_width_for(257) == 9);
}
