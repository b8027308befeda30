#include "core/base/csv.h"

#include <catch2/catch.hpp>

using namespace amoskys;

namespace {

// Cells joined by |, records by /; the message of a fault after !.
std::string read(std::string_view text) {
    CsvReader reader(text, "f.csv");
    std::vector<CsvCell> cells;
    std::string out;
    for (;;) {
        const auto more = reader.next(cells);
        if (!more)
            return out + "!" + more.error().message;
        if (!*more)
            return out;
        for (const CsvCell& cell : cells)
            out += std::string(cell.text) + "|";
        out += "/";
    }
}

}  // namespace

TEST_CASE("CSV reader takes both line ends, quotes, empty cells and a last line without an end") {
    CHECK(read("a,b\r\n1,\n,2") == "a|b|/1||/|2|/");
    CHECK(read("\"x,1\",\"say \"\"hi\"\"\"\n\"two\nlines\",\"\"") ==
          "x,1|say \"hi\"|/two\nlines||/");
    CHECK(read("") == "");
    CHECK(read("\n\r\na\n\nb\n") == "a|/b|/");
    CHECK(read("a,b\n1,") == "a|b|/1||/");
}

TEST_CASE("CSV reader says line and column of a fault") {
    CHECK(read("a,b\n1,2,3\n") == "a|b|/!f.csv:2:1: the record has 3 cells; the header has 2");
    CHECK(read("a\nx\"y\n") == "a|/!f.csv:2:2: a quote inside a cell that does not begin with one");
    CHECK(read("a\n\"x\"y\n") == "a|/!f.csv:2:4: text after a closing quote");
    CHECK(read("a,b\n1,\"x\n\n") == "a|b|/!f.csv:2:3: a quote opens here and is not closed");
    CHECK(read("a\rb\n") == "!f.csv:1:2: a carriage return without a line feed");
    CHECK(read("\"a\n\",\"b\"c\n") == "!f.csv:2:6: text after a closing quote");
}
