#include "core/io/file_watch.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "core/base/bytes.h"
#include "core/base/test/temp_folder.h"
#include "core/crypto/hash.h"

using namespace amoskys;

namespace {

void write(const std::filesystem::path& file, const std::string& text) {
    std::ofstream(file, std::ios::trunc) << text;
}

}  // namespace

TEST_CASE("a change is told once, when it was seen twice") {
    const TempFolder folder;
    const auto one = folder.path / "one", two = folder.path / "two";
    write(one, "a");
    io::FileWatch watch({one, two});
    CHECK_FALSE(watch.changed());
    CHECK_FALSE(watch.changed());

    write(two, "new");  // made
    CHECK_FALSE(watch.changed());
    CHECK(watch.changed());
    CHECK_FALSE(watch.changed());

    write(one, "bb");  // still being written at the next look
    CHECK_FALSE(watch.changed());
    write(one, "ccc");
    CHECK_FALSE(watch.changed());
    CHECK(watch.changed());

    write(folder.path / "fresh", "ddd");  // the same size, renamed over it
    std::filesystem::rename(folder.path / "fresh", one);
    CHECK_FALSE(watch.changed());
    CHECK(watch.changed());

    std::filesystem::remove(two);
    CHECK_FALSE(watch.changed());
    CHECK(watch.changed());
    CHECK_FALSE(watch.changed());
}
