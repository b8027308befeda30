// Says when files have changed: by time, size and inode, looked at when asked (a rename over a
// file, a write, a new file, a removed one). A change is told once, when it has been there at two
// looks: who writes several files, or one slowly, is given time. Used for certificates, keys, trust
// maps and configuration files; no clock, no descriptor, no thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace amoskys::io {

class FileWatch {
  public:
    // What is there now counts as known.
    explicit FileWatch(std::vector<std::filesystem::path> files);
    bool changed();

  private:
    struct State {
        std::uint64_t inode = 0;
        std::int64_t size_bytes = -1, changed_s = 0, changed_ns = 0;  // -1: no such file
        bool operator==(const State&) const = default;
    };
    std::vector<State> look() const;

    const std::vector<std::filesystem::path> files_;
    std::vector<State> known_, last_;
};

}  // namespace amoskys::io
