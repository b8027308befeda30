// SHA-256 of the files that run, each read once: cached by device, inode, size and both times. What
// one scan may read is bounded, so that a host full of new programs is hashed over several scans.
// Not thread-safe. At most max_entries results of about 150 bytes.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

namespace amoskys::proc {

class ExeHash {
  public:
    static constexpr std::size_t max_entries = 4096;
    ExeHash(std::uint64_t budget_bytes, std::uint64_t largest_bytes)
        : budget_bytes_(budget_bytes), largest_bytes_(largest_bytes) {}

    void begin() { left_bytes_ = budget_bytes_; }  // of a scan
    // Lower case hex of the file below folder; "" with `why` ("budget", "too_large" or an errno's
    // name).
    std::string of(int folder, const char* name, const struct stat& info, std::string& why);
    std::uint64_t bytes_read() const { return bytes_read_; }

  private:
    using Key = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::int64_t, std::int64_t>;
    std::uint64_t budget_bytes_, largest_bytes_, left_bytes_ = 0, bytes_read_ = 0;
    std::map<Key, std::string> known_;
};

// "EACCES", or the number of one without a name.
std::string errno_name(int error);

}  // namespace amoskys::proc
