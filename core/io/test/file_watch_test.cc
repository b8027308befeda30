#include "core/io/file_watch.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "core/base/bytes.h"
#include "core/crypto/hash.h"

using namespace amoskys;

namespace {

struct Folder {
    Folder() {
        std::uint8_t random[8];
        crypto::random_bytes(random);
        path = std::filesystem::temp_directory_path() / ("amoskys-watch-" + to_hex(random));
        std::filesystem::create_directories(path);
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    std::filesystem::path path;
};

void write(const std::filesystem::path& file, const std::string& text) {
    std::ofstream(file, std::ios::trunc) << text;
}

}  // namespace

TEST_CASE("a change is told once, when it was seen twice") {
    const Folder folder;
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
