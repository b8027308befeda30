// Files as the product handles them: bounded reads, atomic replacement, private modes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace amoskys {

namespace fs = std::filesystem;

// An owned file descriptor; closed on destruction.
class FileDescriptor {
  public:
    FileDescriptor() = default;
    explicit FileDescriptor(int fd) : fd_(fd) {}
    FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.release()) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept;
    ~FileDescriptor();
    int get() const { return fd_; }
    int release() {
        int fd = fd_;
        fd_ = -1;
        return fd;
    }
    explicit operator bool() const { return fd_ >= 0; }

  private:
    int fd_ = -1;
};

// The whole file, at most limit_bytes (bad_data "file_too_large" beyond). "-" is not special here.
Result<std::string> read_file(const fs::path& path, std::uint64_t limit_bytes);

// Writes to a temporary file beside it, fsyncs, renames over path, fsyncs the folder: a reader sees
// the old content or the new, never a part. The mode is set before any content is written.
Result<> write_file_atomic(const fs::path& path, std::string_view content, unsigned mode);

// As above, but fails with cannot_create "file_exists" where path exists.
Result<> write_new_file(const fs::path& path, std::string_view content, unsigned mode);

// Changes when the file is written or replaced: inode, size and time of change; "" where it is not
// there.
std::string file_stamp(const fs::path& path);
Result<> make_directories(const fs::path& path, unsigned mode);
Result<> sync_directory(const fs::path& path);

}  // namespace amoskys
