#include "modules/intelligence/score/table.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>

#include "core/base/test/temp_folder.h"

using namespace amoskys;
using namespace amoskys::score;

namespace {

std::string message(std::string_view text, const TableOptions& options = {}) {
    const auto table = parse_table(text, "t.csv", options);
    return table ? "" : table.error().message;
}

}  // namespace

TEST_CASE("keys, features, missing values and labels are told apart") {
    const auto table = parse_table(
                           "device_id,window_start,cpu,window_end,load,label,note\r\n"
                           "a,t0,1.5,t1,,0,hello\r\n\"b,1\",t0,nan,t1,-2e3,1,\r\n",
                           "t.csv", {.label = "label", .ignore = {"note"}})
                           .value();
    CHECK(table.features.columns == std::vector<std::string>{"cpu", "load"});
    CHECK(table.devices == std::vector<std::string>{"a", "b,1"});
    CHECK(table.starts == std::vector<std::string>{"t0", "t0"});
    CHECK(table.labels == std::vector<bool>{false, true});
    REQUIRE(table.features.rows() == 2);
    CHECK(table.features.values[0] == 1.5);
    CHECK(std::isnan(table.features.values[1]));
    CHECK(std::isnan(table.features.values[2]));
    CHECK(table.features.values[3] == -2000);
}

TEST_CASE("a fault in a table names file, line and column") {
    CHECK(message("") == "t.csv:1:1: the file is empty; a header is needed");
    CHECK(message("cpu,load\n1,2\n3,fast\n") ==
          "t.csv:3:3: column load: 'fast' is not a finite number");
    CHECK(message("cpu\n1e999\n") == "t.csv:2:1: column cpu: '1e999' is not a finite number");
    CHECK(message("cpu\ninf\n") == "t.csv:2:1: column cpu: 'inf' is not a finite number");
    CHECK(message("cpu,cpu\n") == "t.csv:1:5: the column 'cpu' is there twice");
    CHECK(message("cpu\n1\n1,2\n") == "t.csv:3:1: the record has 2 cells; the header has 1");
    CHECK(message("cpu,label\n1,2\n", {.label = "label"}) ==
          "t.csv:2:3: a label is 0 or 1, not '2'");
    CHECK(message("cpu\n1\n", {.label = "y"}) == "t.csv has no column 'y' for the label");
}

TEST_CASE("a model's columns are chosen by name and an absent one is refused") {
    const auto table = parse_table("a,b,c\n1,2,3\n", "t.csv", {}).value();
    std::size_t dropped = 0;
    const std::vector<std::string> wanted = {"c", "a"};
    const auto chosen = select_columns(table, wanted, dropped).value();
    CHECK(chosen.values == std::vector<double>{3, 1});
    CHECK(dropped == 1);
    const std::vector<std::string> others = {"a", "p", "q", "r", "s"};
    const auto refused = select_columns(table, others, dropped);
    REQUIRE(refused.has_error());
    CHECK(refused.error().kind == ErrorKind::bad_data);
    CHECK(refused.error().message == "t.csv lacks 4 of the 5 columns of the model: p, q, r, ...");
}

TEST_CASE("a folder stands for its table of raw numbers, and without one is no input") {
    const TempFolder folder;
    const auto none = find_table(folder.path);
    REQUIRE(none.has_error());
    CHECK(none.error().kind == ErrorKind::no_input);
    folder.write("canonical_telemetry_full.csv", "a\n");
    CHECK(find_table(folder.path).value().filename() == "canonical_telemetry_full.csv");
    folder.write("train_features.csv", "a\n");
    CHECK(find_table(folder.path).value().filename() == "canonical_telemetry_full.csv");
    CHECK(find_table(folder / "train_features.csv").value().filename() == "train_features.csv");
}
