#include "modules/transformation/etl/feature_store.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>

#include "modules/transformation/etl/test/feeder.h"
#include "modules/transformation/etl/test/store_of_rows.h"

using namespace amoskys;
using namespace amoskys::etl;
using namespace amoskys::etl::test;

namespace {

std::uint64_t anonymous_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("RssAnon:"))
            return std::stoull(line.substr(8));
    return 0;
}

}  // namespace

TEST_CASE("slices are sorted by device, rows stay in the order of their windows") {
    auto store = store_of({{"b", 10, {1}}, {"a", 10, {2}}, {"b", 20, {3}}, {"a", 20, {4}}});
    CHECK(store->rows() == 4);
    CHECK(store->devices() == 2);
    std::vector<std::pair<std::string, double>> seen;
    for (const Slice& slice : store->slices())
        for (std::size_t i = 0; i < slice.rows(); ++i) {
            seen.emplace_back(slice.device, slice.column(0)[i]);
            CHECK(slice.ends[i] == slice.starts[i] + 60 * second);
        }
    CHECK(seen ==
          std::vector<std::pair<std::string, double>>{{"a", 2}, {"a", 4}, {"b", 1}, {"b", 3}});
}

TEST_CASE("a column that came later is missing in rows from before") {
    auto store = store_of({{"a", 10, {1}}, {"a", 20, {2, 7}}, {"b", 10, {3}}});
    std::vector<double> out;
    store->gather(1, Part::train, out);
    REQUIRE(out.size() == 3);
    CHECK(std::isnan(out[0]));
    CHECK(out[1] == 7);
    CHECK(std::isnan(out[2]));
}

TEST_CASE("a column of a part has the rows of that part") {
    auto store = store_of({{"a", 10, {1}, Part::train},
                           {"a", 20, {2}, Part::embargo},
                           {"a", 30, {3}, Part::validation},
                           {"b", 10, {4}, Part::train}});
    std::vector<double> out;
    store->gather(0, Part::train, out);
    CHECK(out == std::vector<double>{1, 4});
    store->gather(0, Part::validation, out);
    CHECK(out == std::vector<double>{3});
}

TEST_CASE("a store without rows has no slices") {
    auto store = store_of({});
    CHECK(store->slices().empty());
    CHECK(store->rows() == 0);
}

TEST_CASE("memory does not grow with the rows, and every row comes back") {
    // 300 MB of rows of 50 devices whose windows come by turns.
    constexpr std::size_t columns = 600, rows = 62'500, devices = 50;
    auto store = FeatureStore::open("/var/tmp").value();
    const std::uint64_t before = anonymous_kib();
    StoredRow row{.device = "", .values = std::vector<double>(columns)};
    for (std::size_t i = 0; i < rows; ++i) {
        row.device = "device " + std::to_string(i % devices);
        row.start_ns = i / devices * second;
        for (std::size_t column = 0; column < columns; ++column)
            row.values[column] = static_cast<double>(i * columns + column);
        add_row(*store, row);
    }
    REQUIRE(store->seal());
    std::size_t seen = 0, wrong = 0;
    for (const Slice& slice : store->slices()) {
        const auto device = std::stoull(std::string(slice.device.substr(7)));
        for (std::size_t column = 0; column < columns; ++column)
            for (std::size_t i = 0; i < slice.rows(); ++i) {
                const std::uint64_t number = slice.starts[i] / second * devices + device;
                wrong += slice.column(static_cast<module::ColumnId>(column))[i] !=
                         static_cast<double>(number * columns + column);
            }
        seen += slice.rows();
    }
    CHECK(seen == rows);
    CHECK(wrong == 0);
    CHECK(anonymous_kib() < before + 40 * 1024);
}

TEST_CASE("a folder that cannot be written is an error with its path") {
    const auto refused = FeatureStore::open("/nonexistent");
    REQUIRE(refused.has_error());
    CHECK(refused.error().message.find("/nonexistent") != std::string::npos);
}
