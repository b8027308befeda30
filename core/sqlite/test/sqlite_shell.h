// Debian's sqlite3, which makes the databases of the tests and says what is in them.
#pragma once

#include <stdio.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/base/test/temp_folder.h"

namespace amoskys {

// What it printed; fails the test where a statement fails.
inline std::string sqlite3_shell(const std::filesystem::path& file, std::string_view script) {
    const TempFolder folder;
    const auto statements = folder.write("script.sql", script);
    const std::string command = "sqlite3 -batch -bail -cmd 'PRAGMA synchronous=OFF' '" +
                                file.string() + "' < '" + statements.string() + "' 2>&1";
    FILE* pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::string out(1 << 16, '\0');
    std::size_t size = 0;
    while (const std::size_t n = ::fread(out.data() + size, 1, out.size() - size, pipe)) {
        size += n;
        out.resize(2 * out.size());
    }
    out.resize(size);
    const int status = ::pclose(pipe);
    INFO("sqlite3 (packaging/setup --test installs it): " << out.substr(0, 400));
    REQUIRE(status == 0);
    return out;
}

}  // namespace amoskys
