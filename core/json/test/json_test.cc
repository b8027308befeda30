#include <catch2/catch.hpp>
#include <limits>

#include "core/json/json.h"
#include "core/json/yaml_text.h"

using namespace amoskys;
using Catch::Matchers::Contains;

TEST_CASE("parse says the byte of the error and what it was parsing") {
    const auto parsed = json::parse("{\"a\": tru}", "model file x.json");
    REQUIRE_FALSE(parsed.has_value());
    CHECK((parsed.error().kind == ErrorKind::bad_data));
    CHECK_THAT(parsed.error().message, Contains("model file x.json: not valid JSON at byte 10"));
    CHECK_FALSE(json::parse("1 2", "x").has_value());
    CHECK_FALSE(json::parse("", "x").has_value());
    CHECK_FALSE(json::parse("1e999", "x").has_value());
    CHECK_FALSE(json::parse("\"\xff\"", "x").has_value());
}

TEST_CASE("parse refuses more than 64 levels and does not count brackets in texts") {
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    CHECK(json::parse(nested(64), "x").has_value());
    CHECK_FALSE(json::parse(nested(65), "x").has_value());
    CHECK_FALSE(json::parse(std::string(1'000'000, '['), "x").has_value());
    CHECK(json::parse("\"\\\"" + std::string(100, '[') + "\"", "x").has_value());
}

TEST_CASE("objects keep their order and invalid text becomes a replacement character") {
    const auto parsed = json::parse(R"({"z":1,"a":[2,3.5,null,"x"]})", "x");
    REQUIRE(parsed.has_value());
    CHECK(json::dump(*parsed) == R"({"z":1,"a":[2,3.5,null,"x"]})");
    CHECK(json::dump(Json("a\xff")) == "\"a\xef\xbf\xbd\"");
    CHECK(json::digits(18446744073709551615ULL) == "18446744073709551615");
    CHECK(json::time(0).is_null());
    CHECK(json::time(1) == "1970-01-01T00:00:00.000000001Z");
}

TEST_CASE("a text that YAML would take for something else is quoted") {
    for (const char* text : {"y",   "No",  "ON",   "null", "~",    "",     "1",   "-1",
                             "0x1", "1.5", ".inf", "1:20", "a: b", "a #b", "- a", "[a",
                             "{",   "*a",  "&a",   "!a",   "%a",   "@a",   "a,b", "127.0.0.1:50051",
                             " a",  "a ",  "<<",   "=",    "?",    "|",    ">"})
        CHECK(json::yaml_scalar(text) == "\"" + std::string(text) + "\"");
    for (const char* text : {"ifInOctets", "/var/lib/x", "a-b_c.d", "udp", "info"})
        CHECK(json::yaml_scalar(text) == text);
    CHECK(json::yaml_scalar("a\nb\t\"\\") == R"("a\nb\t\"\\")");
    CHECK(json::yaml_scalar("\x7f\xc2\x85\xe2\x80\xa8") == R"("\u007f\u0085\u2028")");
}

TEST_CASE("YAML of nested values is in block style") {
    const auto value = json::parse(
        R"({"a":1,"b":{"c":[],"d":{}},"e":[1,{"f":"x y","g":[true,null]},[2,3]],"h":"on"})", "x");
    REQUIRE(value.has_value());
    CHECK(json::to_yaml(*value) ==
          "a: 1\n"
          "b:\n"
          "  c: []\n"
          "  d: {}\n"
          "e:\n"
          "  - 1\n"
          "  - f: \"x y\"\n"
          "    g:\n"
          "      - true\n"
          "      - null\n"
          "  - - 2\n"
          "    - 3\n"
          "h: \"on\"\n");
    CHECK(json::to_yaml(Json(std::numeric_limits<double>::infinity())) == ".inf\n");
}

TEST_CASE("what terminals obey and line readers break at is escaped") {
    const std::string text =
        "a\x7f"
        "b\xc2\x9b"
        "31m\xe2\x80\xa8\xe2\x80\xa9\xc2\xa0\xc3\xa9";
    const Json value = {{"k", text}};
    CHECK(json::dump(value) == "{\"k\":\"a\\u007fb\\u009b31m\\u2028\\u2029\xc2\xa0\xc3\xa9\"}");
    CHECK((*json::parse(json::dump(value), "x"))["k"] == text);
}
