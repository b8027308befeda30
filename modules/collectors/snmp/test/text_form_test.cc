#include "modules/collectors/snmp/text_form.h"

#include <catch2/catch.hpp>

#include "core/base/text.h"

using namespace amoskys;
using namespace amoskys::snmp;
using namespace std::string_literals;

TEST_CASE("octets are shown by their DISPLAY-HINT") {
    // RFC 2579: MacAddress, PhysAddress, DateAndTime, SnmpAdminString, and section 3.1's repeats.
    CHECK(by_hint("1x:", "\x00\x1a\x2b\xff\x00\x01"s) == "00:1a:2b:ff:00:01");
    CHECK(by_hint("2d-1d-1d,1d:1d:1d.1d,1a1d:1d", "\x07\xc8\x05\x1a\x0d\x1e\x0f\x00-\x04\x00"s) ==
          "1992-5-26,13:30:15.0,-4:0");
    CHECK(by_hint("255a", "eth0") == "eth0");
    CHECK(by_hint("1d.1d.1d.1d", "\x0a\x00\x00\x07"s) == "10.0.0.7");
    CHECK(by_hint("2x:2x:2x:2x:2x:2x:2x:2x%4d",
                  "\xfe\x80"s + std::string(14, '\0') + "\x00\x00\x00\x02"s) ==
          "fe80:0000:0000:0000:0000:0000:0000:0000%2");
    CHECK(by_hint("*1x:/1x", "\x03\x01\x02\x03\x04"s) == "01:02:03/04");
    CHECK(by_hint("1o ", "\x08\x09"s) == "10 11");
    CHECK(by_hint("1x:", "") == "");
    CHECK(by_hint("255a", "\xff\xfe"s) == "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_CASE("what is no hint is refused, also where it would never end") {
    for (const char* hint : {"", "x", "1", "1y", "0a", "*0a", "99999999d", "1x:0d", "d-2"}) {
        INFO(hint);
        CHECK_FALSE(valid_hint(hint));
        CHECK_FALSE(by_hint(hint, "abc").has_value());
    }
}

TEST_CASE("dates are RFC 3339, and no date is none") {
    CHECK(date_and_time("\x07\xe2\x06\x1c\x04\x17\x34\x01+\x00\x00"s) == "2018-06-28T04:23:52.1Z");
    CHECK(date_and_time("\x07\xe2\x06\x1c\x04\x17\x34\x01-\x04\x1e"s) ==
          "2018-06-28T04:23:52.1-04:30");
    CHECK(date_and_time("\x07\xe2\x06\x1c\x04\x17\x34\x01"s) == "2018-06-28T04:23:52.1");
    CHECK_FALSE(date_and_time("\x00\x00\x00\x00\x00\x00\x00\x00"s).has_value());
    CHECK_FALSE(date_and_time("\x07\xe2\x0d\x1c\x04\x17\x34\x01"s).has_value());
    CHECK_FALSE(date_and_time("\x07\xe2\x06\x1c\x04\x17\x34\x01*\x00\x00"s).has_value());
    CHECK_FALSE(date_and_time("2018-06-28").has_value());
}

TEST_CASE("any octets become UTF-8") {
    CHECK(to_utf8("caf\xc3\xa9") == "caf\xc3\xa9");
    CHECK(to_utf8("caf\xe9!") == "caf\xEF\xBF\xBD!");
    std::string all;
    for (int octet = 0; octet < 256; ++octet)
        all += static_cast<char>(octet);
    CHECK(valid_utf8(to_utf8(all)));
}
