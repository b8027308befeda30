#include "core/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/base/clock.h"
#include "core/base/owner.h"

namespace amoskys {

namespace {

Result<> write_all(int fd, std::string_view content, const fs::path& path) {
    while (!content.empty()) {
        const ssize_t n = ::write(fd, content.data(), content.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno_error("file_write", "cannot write " + path.string(), errno);
        content.remove_prefix(static_cast<std::size_t>(n));
    }
    if (::fsync(fd) != 0)
        return errno_error("file_sync", "cannot sync " + path.string(), errno);
    return {};
}

Result<> create_with(const fs::path& path, std::string_view content, unsigned mode) {
    const FileDescriptor fd(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!fd) {
        const int e = errno;
        Error error = errno_error(e == EEXIST ? "file_exists" : "file_create",
                                  "cannot create " + path.string(), e);
        if (error.kind == ErrorKind::no_input)  // the folder is missing
            error.kind = ErrorKind::cannot_create;
        return error;
    }
    if (::fchmod(fd.get(), mode) != 0)
        return errno_error("file_mode", "cannot set the mode of " + path.string(), errno);
    give_to_owner_of_folder(fd.get(), path);
    return write_all(fd.get(), content, path);
}

}  // namespace

void give_to_owner_of_folder(int fd, const fs::path& path) {
    if (::geteuid() != 0)
        return;
    struct stat made {
    }, folder{};
    const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
    if (::fstat(fd, &made) != 0 || ::stat(parent.c_str(), &folder) != 0)
        return;
    // A file with a second name may be another one, linked here for root to give away.
    const bool of_root = made.st_uid == 0 && (S_ISDIR(made.st_mode) || made.st_nlink == 1);
    if (of_root && folder.st_uid != 0) [[maybe_unused]]
        const int given = ::fchown(fd, folder.st_uid, folder.st_gid);
}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
        if (fd_ >= 0)
            ::close(fd_);
        fd_ = other.release();
    }
    return *this;
}

FileDescriptor::~FileDescriptor() {
    if (fd_ >= 0)
        ::close(fd_);
}

Result<std::string> read_file(const fs::path& path, std::uint64_t limit_bytes) {
    const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd)
        return errno_error("file_open", "cannot read " + path.string(), errno);
    std::string content;
    std::array<char, 65536> buffer;
    for (;;) {
        const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EISDIR)
            return make_error(ErrorKind::no_input, "file_is_folder",
                              "cannot read " + path.string() + ": it is a folder");
        if (n < 0)
            return errno_error("file_read", "cannot read " + path.string(), errno);
        if (n == 0)
            return content;
        content.append(buffer.data(), static_cast<std::size_t>(n));
        if (content.size() > limit_bytes)
            return make_error(ErrorKind::bad_data, "file_too_large",
                              path.string() + ": larger than the limit of " +
                                  std::to_string(limit_bytes) + " bytes");
    }
}

Result<> sync_directory(const fs::path& path) {
    const fs::path folder = path.empty() ? fs::path(".") : path;
    const FileDescriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0)
        return errno_error("directory_sync", "cannot sync the folder " + folder.string(), errno);
    return {};
}

Result<> write_file_atomic(const fs::path& path, std::string_view content, unsigned mode) {
    const fs::path temporary = path.string() + ".tmp." + std::to_string(::getpid()) + "." +
                               std::to_string(system_clock().now_ns());
    Result<> written = create_with(temporary, content, mode);
    if (written && ::rename(temporary.c_str(), path.c_str()) != 0)
        written = errno_error("file_rename", "cannot replace " + path.string(), errno);
    if (!written) {
        ::unlink(temporary.c_str());
        return written;
    }
    return sync_directory(path.parent_path());
}

Result<> write_new_file(const fs::path& path, std::string_view content, unsigned mode) {
    const Result<> written = create_with(path, content, mode);
    if (!written) {
        if (written.error().code != "file_exists" && written.error().code != "file_create")
            ::unlink(path.c_str());  // a part of a file is worse than none
        return written;
    }
    return sync_directory(path.parent_path());
}

std::string file_stamp(const fs::path& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0)
        return {};
    std::string out;
    for (const auto number :
         {static_cast<std::int64_t>(info.st_ino), static_cast<std::int64_t>(info.st_size),
          static_cast<std::int64_t>(info.st_ctim.tv_sec),
          static_cast<std::int64_t>(info.st_ctim.tv_nsec)})
        out += std::to_string(number) + " ";
    return out;
}

Result<> make_directories(const fs::path& path, unsigned mode) {
    fs::path so_far;
    for (const fs::path& part : path) {
        so_far /= part;
        if (::mkdir(so_far.c_str(), mode) == 0) {
            const FileDescriptor made(
                ::open(so_far.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
            give_to_owner_of_folder(made.get(), so_far);
            continue;
        }
        const int e = errno;
        if (e == EEXIST)
            continue;
        Error error =
            errno_error("directory_create", "cannot create the folder " + so_far.string(), e);
        if (error.kind == ErrorKind::no_input)
            error.kind = ErrorKind::cannot_create;
        return error;
    }
    if (!fs::is_directory(path))
        return make_error(ErrorKind::cannot_create, "not_a_directory",
                          path.string() + ": exists and is not a folder");
    return {};
}

}  // namespace amoskys
