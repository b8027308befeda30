#include "modules/collectors/example/load_average.h"

#include <catch2/catch.hpp>

using amoskys::example::parse_load_average;

TEST_CASE("the three load averages are read") {
    const auto load = parse_load_average("0.08 1.50 12.00 2/345 6789\n");
    REQUIRE(load);
    CHECK((*load)[0] == 0.08);
    CHECK((*load)[1] == 1.5);
    CHECK((*load)[2] == 12);
}

TEST_CASE("what is not the form of loadavg gives nothing") {
    for (const auto* text : {"", "1", "1 2", "1 2 3", "a b c ", "nan 1 2 ", "1 2 inf ", "1,2,3 "})
        CHECK_FALSE(parse_load_average(text));
}
