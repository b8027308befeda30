#include "modules/transformation/etl/pictures.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <random>

#include "core/base/file.h"
#include "modules/transformation/etl/svg.h"
#include "modules/transformation/etl/test/feeder.h"
#include "modules/transformation/etl/test/store_of_rows.h"

using namespace amoskys;
using namespace amoskys::etl;
using namespace amoskys::etl::test;

namespace {

struct Table {
    std::vector<module::FeatureColumn> columns;
    std::unique_ptr<FeatureStore> store;
    Layout layout;
    std::vector<ColumnQuality> quality;

    Table(const std::vector<std::string>& names, const std::vector<StoredRow>& rows)
        : columns(columns_named(names)),
          store(store_of(rows)),
          layout{columns, column_order(columns)},
          quality(column_quality(*store, columns)) {}
    PictureInput input() const { return {*store, layout, quality}; }
};

Table waves(const std::vector<std::string>& names) {
    std::mt19937_64 random(4);
    std::normal_distribution<double> noise(0, 1);
    std::vector<StoredRow> rows;
    for (const char* device : {"a", "b", "c"})
        for (UnixNanos i = 0; i < 400; ++i) {
            if (i > 200 && i < 240)
                continue;  // a gap
            const double wave = 50 + 20 * std::sin(static_cast<double>(i) / 60);
            StoredRow row{.device = device,
                          .start_ns = origin + i * 30 * second,
                          .part = i < 320 ? Part::train : Part::validation};
            for (std::size_t n = 0; n < names.size(); ++n)
                row.values.push_back((n % 2 == 0 ? wave : -wave) * std::pow(10.0, n) +
                                     noise(random));
            rows.push_back(std::move(row));
        }
    return {names, rows};
}

// Whether another program that reads SVG takes it; true where there is none.
bool renders(const std::string& svg) {
    if (std::system("command -v rsvg-convert > /dev/null") != 0) {
        WARN("rsvg-convert is not installed (packaging/setup --test): not rendered");
        return true;
    }
    std::string name = (std::filesystem::temp_directory_path() / "picture-XXXXXX").string();
    FileDescriptor file(::mkstemp(name.data()));
    REQUIRE(write_file_atomic(name, svg, 0600));
    const int status = std::system(("rsvg-convert '" + name + "' > /dev/null").c_str());
    std::filesystem::remove(name);
    return status == 0;
}

}  // namespace

TEST_CASE("pictures are documents that a renderer takes, with the metrics' names and units") {
    const Table table = waves({"cpu_mean", "mem_mean", "ifInOctets_rate_mean"});
    for (const std::string& svg : {correlations_svg(table.input()),
                                   distributions_svg(table.input()), temporal_svg(table.input())}) {
        CHECK(renders(svg));
        for (const char* name : {">cpu<", ">mem<", ">ifInOctets_rate<"})
            CHECK(svg.find(name) != std::string::npos);
    }
    CHECK(temporal_svg(table.input()).find(">%<") != std::string::npos);
    CHECK(temporal_svg(table.input()).find("validation from here on") != std::string::npos);
    CHECK(distributions_svg(table.input()).find("validation") != std::string::npos);
}

TEST_CASE("pictures of nothing say so") {
    const Table table({"cpu_mean"}, {});
    for (const std::string& svg : {correlations_svg(table.input()),
                                   distributions_svg(table.input()), temporal_svg(table.input())}) {
        CHECK(svg.find("nothing to") != std::string::npos);
        CHECK(renders(svg));
    }
}

TEST_CASE("a device's text cannot break a picture") {
    const Table table = waves({"<script>&\"_mean", std::string("\xff\0\x1b[2J", 6) + "_mean",
                               std::string(1 << 20, 'x') + "_mean", "]]>_mean"});
    for (const std::string& svg : {correlations_svg(table.input()),
                                   distributions_svg(table.input()), temporal_svg(table.input())}) {
        CHECK(renders(svg));
        CHECK(svg.size() < 200'000);
        CHECK(svg.find("<script>") == std::string::npos);
        CHECK(svg.find('\x1b') == std::string::npos);
    }
}

TEST_CASE("values that are not finite do not break a picture") {
    std::vector<StoredRow> rows;
    for (UnixNanos i = 0; i < 50; ++i)
        rows.push_back({"a",
                        origin + i * second,
                        {i == 3 ? INFINITY : static_cast<double>(i),
                         i == 4 ? missing_value : 1e300 * (i % 2 == 0 ? 1 : -1)}});
    const Table table({"cpu_mean", "mem_mean"}, rows);
    for (const std::string& svg : {correlations_svg(table.input()),
                                   distributions_svg(table.input()), temporal_svg(table.input())}) {
        CHECK(renders(svg));
        CHECK(svg.find("nan") == std::string::npos);
        CHECK(svg.find("inf") == std::string::npos);
    }
}

TEST_CASE("correlation is Pearson's over rows where both are there") {
    CHECK(pearson(std::vector<double>{1, 2, 3, 4}, std::vector<double>{2, 4, 6, 8}) == Approx(1));
    CHECK(pearson(std::vector<double>{1, 2, 3, 4}, std::vector<double>{4, 3, 2, 1}) == Approx(-1));
    CHECK(pearson(std::vector<double>{1, missing_value, 3, 4, 9},
                  std::vector<double>{1, 5, 3, 4, missing_value}) == Approx(1));
    CHECK(std::isnan(pearson(std::vector<double>{1, 2, 3}, std::vector<double>{7, 7, 7})));
}

TEST_CASE("key columns are means of metrics that vary, processor and memory first") {
    const Table table({"z_mean", "cpu_max", "cpu_mean", "constant_mean", "memory_mean", "y_mean"},
                      {{"a", 1, {1, 1, 1, 5, 1, 1}}, {"a", 2, {2, 2, 2, 5, 2, 2}}});
    std::vector<std::string> names;
    for (const module::ColumnId id : key_columns(table.input(), 3))
        names.push_back(table.columns[id].name);
    CHECK(names == std::vector<std::string>{"cpu_mean", "memory_mean", "y_mean"});
}

TEST_CASE("marks of axes are round numbers and round times") {
    CHECK(ticks(0, 100, 5) == std::vector<double>{0, 20, 40, 60, 80, 100});
    CHECK(ticks(3, 3, 4) == std::vector<double>{3});
    CHECK(short_number(1'500'000) == "1.5M");
    CHECK(short_number(999) == "999");
    CHECK(short_number(0.00002) == "2e-05");
    const auto times = time_ticks(origin, origin + 3 * 3600 * second, 8);
    REQUIRE(times.size() == 6);
    CHECK(times[0].second == "04:00");
    CHECK(times[1].second == "04:30");
}

TEST_CASE("long texts are cut in the middle, between characters") {
    CHECK(shortened("short", 8) == "short");
    CHECK(shortened("ifHCInOctets_rate_mean", 10) ==
          "ifHCIn\xe2\x80\xa6"
          "ean");
    CHECK(shortened(std::string(1 << 20, 'x'), 10).size() == 12);
    CHECK(shortened("gr\xc3\xbc\xc3\x9f gr\xc3\xbc\xc3\x9f gr\xc3\xbc\xc3\x9f", 5) ==
          "gr\xc3\xbc\xe2\x80\xa6\xc3\x9f");
}
