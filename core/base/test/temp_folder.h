// A folder of its own for a test case; it goes away with the object.
#pragma once

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/file.h"

namespace amoskys {

class TempFolder {
  public:
    TempFolder() : path(make()) {}
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }

    std::filesystem::path operator/(std::string_view name) const { return path / name; }
    std::filesystem::path write(std::string_view name, std::string_view content) const {
        std::ofstream(path / name, std::ios::binary) << content;
        return path / name;
    }
    std::string text(std::string_view name) const {
        return read_file(path / name, 1 << 24).value();
    }
    std::vector<std::string> names() const {  // of what is in it, in order
        std::vector<std::string> out;
        for (const auto& entry : std::filesystem::directory_iterator(path))
            out.push_back(entry.path().filename().string());
        std::sort(out.begin(), out.end());
        return out;
    }

    const std::filesystem::path path;

  private:
    static std::filesystem::path make() {
        std::string pattern = (std::filesystem::temp_directory_path() / "amoskys_XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr)
            throw std::runtime_error("mkdtemp " + pattern);
        return pattern;
    }
};

}  // namespace amoskys
