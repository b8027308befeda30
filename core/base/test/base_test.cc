#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/test/temp_folder.h"
#include "core/base/text.h"
#include "core/base/types.h"

using namespace amoskys;

TEST_CASE("hex and base64 give back what went in and refuse other text") {
    const Bytes data{0, 1, 0x7f, 0x80, 0xff};
    Bytes back;
    CHECK(to_hex(data) == "00017f80ff");
    CHECK(from_hex("00017F80ff", back));
    CHECK(back == data);
    CHECK_FALSE(from_hex("0", back));
    CHECK_FALSE(from_hex("0g", back));
    // RFC 4648 section 10
    const std::pair<std::string, std::string> vectors[] = {{"", ""},
                                                           {"f", "Zg=="},
                                                           {"fo", "Zm8="},
                                                           {"foo", "Zm9v"},
                                                           {"foob", "Zm9vYg=="},
                                                           {"fooba", "Zm9vYmE="},
                                                           {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, coded] : vectors) {
        CHECK(to_base64(as_bytes(plain)) == coded);
        REQUIRE(from_base64(coded, back));
        CHECK(as_text(back) == plain);
    }
    for (const char* wrong : {"Zg=", "Zh==", "Z===", "Zg==Zg==", "Zm 9"})
        CHECK_FALSE(from_base64(wrong, back));
}

TEST_CASE("times are written in UTC with nine digits and read in every documented form") {
    CHECK(format_time(0) == "1970-01-01T00:00:00.000000000Z");
    CHECK(format_time(1764821328902984000ULL) == "2025-12-04T04:08:48.902984000Z");
    const UnixNanos now = 1764821328902984000ULL;
    CHECK(*parse_time("2025-12-04T04:08:48.902984Z", now) == now);
    CHECK(*parse_time("2025-12-03T22:08:48.902984-06:00", now) == now);
    CHECK(*parse_time("1764821328902984000", now) == now);
    CHECK(*parse_time("1764821328902", now) == 1764821328902000000ULL);
    CHECK(*parse_time("1764821328", now) == 1764821328000000000ULL);
    CHECK(*parse_time("1970-01-02", now) == 86400000000000ULL);
    CHECK(*parse_time("-15m", now) == now - 900000000000ULL);
    CHECK(*parse_time("now", now) == now);
    for (const char* wrong : {"", "yesterday", "2025-13-01", "2025-02-29", "2025-12-04T24:00:00Z",
                              "2025-12-04T04:08:48", "2025-12-04T04:08:48.Z", "-15", "12x"})
        CHECK(!parse_time(wrong, now));
}

TEST_CASE("durations and sizes need a unit and are written in the shortest exact form") {
    CHECK(parse_duration("1m30s")->count() == 90'000'000'000);
    CHECK(parse_duration("250ms")->count() == 250'000'000);
    CHECK(parse_duration("0")->count() == 0);
    CHECK(parse_duration("1.5h")->count() == 5'400'000'000'000);
    for (const char* wrong : {"", "5", "-5s", "5 parsecs", "s", "1e400s"})
        CHECK(!parse_duration(wrong));
    CHECK(format_duration(std::chrono::seconds(90)) == "1m30s");
    CHECK(format_duration(Duration(0)) == "0s");
    CHECK(*parse_size("131072") == 131072);
    CHECK(*parse_size("200MiB") == 209715200);
    CHECK(*parse_size("1 GB") == 1000000000);
    CHECK(!parse_size("1 gallon"));
    CHECK(format_size(209715200) == "200 MiB");
    CHECK(format_size(1536) == "1.5 KiB");
}

TEST_CASE("the nearest name is suggested only where it is near") {
    const std::string_view names[] = {"inspect", "interval", "bus"};
    CHECK(nearest("inpsect", names) == "inspect");
    CHECK(nearest("intervall", names) == "interval");
    CHECK(nearest("bsu", names) == "bus");
    CHECK(nearest("flow", names).empty());
}

TEST_CASE("foreign text cannot move the cursor, break a line or reverse the reading order") {
    CHECK(printable("eth0 \xc3\xa9") == "eth0 \xc3\xa9");
    CHECK(printable("a\x1b[2Jb\n") == "a\\x1b[2Jb\\x0a");
    CHECK(printable("\xff\xc3") == "\\xff\\xc3");
    CHECK(printable("x\xe2\x80\xaey") == "x\\xe2\\x80\\xaey");
    CHECK(printable("\xc2\x9b") == "\\xc2\\x9b");
    CHECK_FALSE(valid_utf8("\xed\xa0\x80"));  // a surrogate
    CHECK_FALSE(valid_utf8("\xc0\x80"));      // overlong
    CHECK(valid_utf8("\xf0\x9f\x98\x80"));
}

TEST_CASE("an excerpt of foreign text is short and never ends inside a character") {
    CHECK(excerpt("lane\xff") == "lane\\xff");
    CHECK(excerpt(std::string(64, 'x')) == std::string(64, 'x'));
    CHECK(excerpt(std::string(60'000, 'x')) == std::string(64, 'x') + "...");
    CHECK(excerpt(std::string(63, 'x') + "\xc3\xa9\xc3\xa9") == std::string(63, 'x') + "...");
    CHECK(excerpt(std::string(62, 'x') + "\xf0\x9f\x98\x80yy") == std::string(62, 'x') + "...");
    CHECK(excerpt(std::string(65, '\x80')).size() <= 4 * 64 + 3);
}

TEST_CASE("globs know star and question mark and nothing else") {
    CHECK(glob_match("if*Octets", "ifHCInOctets"));
    CHECK(glob_match("edge-?", "edge-1"));
    CHECK_FALSE(glob_match("edge-?", "edge-12"));
    CHECK(glob_match("*", ""));
    CHECK_FALSE(glob_match("[a]", "a"));
}

TEST_CASE("agent names and lanes take only their characters") {
    CHECK(valid_agent_id("edge-1.example"));
    CHECK_FALSE(valid_agent_id(""));
    CHECK_FALSE(valid_agent_id("../x"));
    CHECK_FALSE(valid_agent_id("a/b"));
    CHECK_FALSE(valid_agent_id(std::string(65, 'a')));
    CHECK(valid_lane("snmp"));
    CHECK_FALSE(valid_lane("SNMP"));
    CHECK_FALSE(valid_lane(std::string(33, 'a')));
}

TEST_CASE("files are replaced whole, never overwritten when new, and read within a limit") {
    char name[] = "/tmp/amoskys-base-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    const fs::path folder = name;
    const fs::path file = folder / "a" / "key";
    CHECK(write_new_file(file, "x", 0600).error().kind == ErrorKind::cannot_create);
    REQUIRE(make_directories(folder / "a", 0700));
    REQUIRE(write_new_file(file, "one", 0600));
    CHECK(write_new_file(file, "two", 0600).error().code == "file_exists");
    CHECK(*read_file(file, 10) == "one");
    REQUIRE(write_file_atomic(file, "three", 0640));
    CHECK(*read_file(file, 10) == "three");
    struct stat status {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0640U);
    CHECK(read_file(file, 4).error().code == "file_too_large");
    CHECK(read_file(folder / "none", 4).error().kind == ErrorKind::no_input);
    CHECK(make_directories(file, 0700).error().kind == ErrorKind::cannot_create);
    CHECK(std::distance(fs::directory_iterator(folder / "a"), fs::directory_iterator()) == 1);
    fs::remove_all(folder);
}

TEST_CASE("what root makes in a folder of another user belongs to that user") {
    const TempFolder folder;
    constexpr uid_t other = 12345;
    const bool root = ::geteuid() == 0;
    if (root)
        REQUIRE(::chown(folder.path.c_str(), other, other) == 0);
    REQUIRE(make_directories(folder.path / "a" / "b", 0700));
    REQUIRE(write_file_atomic(folder.path / "a" / "b" / "key", "secret", 0600));
    REQUIRE(write_new_file(folder.path / "new", "", 0644));
    for (const char* name : {"a", "a/b", "a/b/key", "new"}) {
        struct stat info {};
        INFO(name);
        REQUIRE(::stat((folder.path / name).c_str(), &info) == 0);
        CHECK(info.st_uid == (root ? other : ::geteuid()));
    }
}
