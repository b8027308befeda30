// A folder of its own for a test; it goes away with the object.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/file.h"

namespace amoskys::table::test {

struct Folder {
    Folder() {
        static int number = 0;
        path = fs::temp_directory_path() /
               ("table_test_" + std::to_string(getpid()) + "_" + std::to_string(number++));
        fs::create_directories(path);
    }
    ~Folder() { fs::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    std::string text(std::string_view name) const {
        return read_file(path / name, 1 << 24).value();
    }
    std::vector<std::string> names() const {
        std::vector<std::string> out;
        for (const auto& entry : fs::directory_iterator(path))
            out.push_back(entry.path().filename().string());
        std::sort(out.begin(), out.end());
        return out;
    }
    fs::path path;
};

}  // namespace amoskys::table::test
