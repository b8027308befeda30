#include "modules/collectors/proc/exe_hash.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/file.h"
#include "core/crypto/hash.h"

namespace amoskys::proc {
namespace {

constexpr std::size_t piece_bytes = 64 * 1024;

std::int64_t nanoseconds(const timespec& time) {
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

std::string errno_name(int error) {
    const char* const name = ::strerrorname_np(error);
    return name == nullptr ? std::to_string(error) : name;
}

std::string ExeHash::of(int folder, const char* name, const struct stat& info, std::string& why) {
    const Key key{info.st_dev, info.st_ino, info.st_size, nanoseconds(info.st_mtim),
                  nanoseconds(info.st_ctim)};
    if (const auto found = known_.find(key); found != known_.end())
        return found->second;
    const auto size = static_cast<std::uint64_t>(info.st_size);
    why = size > largest_bytes_ ? "too_large" : "budget";
    // The first file of a scan always fits: a budget below a file's size must not leave it out for
    // good.
    if (size > largest_bytes_ || (size > left_bytes_ && left_bytes_ < budget_bytes_))
        return "";
    const FileDescriptor file(::openat(folder, name, O_RDONLY | O_CLOEXEC));
    crypto::Sha256 sha;
    std::vector<std::uint8_t> piece(piece_bytes);
    ssize_t got = file ? 1 : -1;
    std::uint64_t total = 0;
    while (got > 0 && total <= largest_bytes_) {
        got = ::read(file.get(), piece.data(), piece.size());
        if (got > 0) {
            sha.update({piece.data(), static_cast<std::size_t>(got)});
            total += static_cast<std::uint64_t>(got);
        }
    }
    bytes_read_ += total;
    left_bytes_ -= std::min(left_bytes_, total);
    if (got < 0) {
        why = errno_name(errno);
        return "";
    }
    if (known_.size() >= max_entries)
        known_.clear();
    return known_[key] = to_hex(sha.finish());
}

}  // namespace amoskys::proc
