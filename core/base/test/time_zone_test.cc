#include "core/base/time_zone.h"

#include <array>
#include <catch2/catch.hpp>
#include <string>

#include "core/base/bytes.h"

using namespace amoskys;

namespace {

constexpr UnixNanos second = 1'000'000'000;

void put32(std::string& out, std::uint32_t value) {
    std::array<std::uint8_t, 4> raw{};
    store_be32(raw.data(), value);
    out += as_text(raw);
}
void put64(std::string& out, std::uint64_t value) {
    std::array<std::uint8_t, 8> raw{};
    store_be64(raw.data(), value);
    out += as_text(raw);
}

void put_header(std::string& out, std::uint32_t times, std::uint32_t types) {
    out += "TZif2" + std::string(15, '\0');
    for (const std::uint32_t count : {0U, 0U, 0U, times, types, 4U})
        put32(out, count);
}

// -6 h, and -5 h from second 1000 to second 5000.
std::string zone_file() {
    std::string out;
    put_header(out, 0, 1);
    out += std::string(6, '\0') + std::string("UTC\0", 4);
    put_header(out, 2, 2);
    put64(out, 1000);
    put64(out, 5000);
    out += std::string("\1\0", 2);
    put32(out, static_cast<std::uint32_t>(-6 * 3600));
    out += std::string("\0\0", 2);
    put32(out, static_cast<std::uint32_t>(-5 * 3600));
    out += std::string("\1\0", 2);
    return out + std::string("CST\0", 4) + "\nCST6\n";
}

}  // namespace

TEST_CASE("a time zone file gives the offset of its transitions") {
    const auto zone = TimeZone::parse(as_bytes(zone_file()), "test");
    REQUIRE(zone.has_value());
    CHECK(zone->offset_seconds(999 * second) == -6 * 3600);
    CHECK(zone->offset_seconds(1000 * second) == -5 * 3600);
    CHECK(zone->offset_seconds(5000 * second) == -6 * 3600);
    CHECK(zone->hour(0) == 18);
    CHECK(zone->hour(1000 * second) == 19);
}

TEST_CASE("a time zone file that is cut short anywhere is refused") {
    const std::string whole = zone_file();
    const std::size_t footer = std::string_view("\nCST6\n").size();
    for (std::size_t size = 0; size < whole.size() - footer; ++size) {
        INFO(size);
        CHECK_FALSE(TimeZone::parse(as_bytes(whole.substr(0, size)), "test").has_value());
    }
}

TEST_CASE("time zones are found by offset and by name, and nothing else") {
    CHECK(TimeZone::find("UTC")->offset_seconds(0) == 0);
    CHECK(TimeZone::find("-05:00")->hour(0) == 19);
    CHECK(TimeZone::find("+0530")->offset_seconds(0) == 19800);
    CHECK(TimeZone::find("+3")->offset_seconds(0) == 10800);
    for (const char* wrong :
         {"../../etc/passwd", "/etc/localtime", "Mars/Base", "+5:3x", "+25:00"}) {
        INFO(wrong);
        const auto found = TimeZone::find(wrong);
        REQUIRE_FALSE(found.has_value());
        CHECK(
            (found.error().kind == ErrorKind::usage || found.error().kind == ErrorKind::no_input));
    }
}
