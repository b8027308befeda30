// A folder that goes away with the test.
#pragma once

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>

namespace amoskys::module::test {

struct Folder {
    Folder() {
        char name[] = "/tmp/amoskys-module-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        path = name;
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

}  // namespace amoskys::module::test
