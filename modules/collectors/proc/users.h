// Names of users from /etc/passwd. A static binary cannot use NSS, so users that only a directory
// service knows have no name here. Read again when the file's time or size changes. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace amoskys::proc {

// uid -> name of passwd(5) text; lines that are not well-formed are skipped, the first entry of a
// uid wins.
std::map<std::uint32_t, std::string> parse_passwd(std::string_view text);

class Users {
  public:
    explicit Users(std::filesystem::path passwd) : path_(std::move(passwd)) {}
    void refresh();                                  // once per scan
    std::string_view name(std::uint32_t uid) const;  // "" where it has none

  private:
    std::filesystem::path path_;
    std::int64_t modified_ns_ = -1, size_ = -1;
    std::map<std::uint32_t, std::string> names_;
};

}  // namespace amoskys::proc
