#include "core/wal/folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <mutex>
#include <set>

#include "core/base/owner.h"
#include "core/base/text.h"

namespace amoskys::wal {

namespace fs = std::filesystem;

namespace {

using Identity = std::pair<std::uint64_t, std::uint64_t>;

std::mutex registry_mutex;
std::set<Identity>& registry() {
    static std::set<Identity> folders;
    return folders;
}

fs::path numbered(const fs::path& folder, std::uint64_t number, std::string_view ending) {
    std::string digits = std::to_string(number);
    if (digits.size() < 8)
        digits.insert(0, 8 - digits.size(), '0');
    return folder / (digits + std::string(ending));
}

// Type of the mount that `folder` lies on, as /proc/self/mountinfo names it; "" where unknown.
std::string mount_type(const fs::path& folder) {
    struct stat status {};
    if (::stat(folder.c_str(), &status) != 0)
        return {};
    const std::string wanted =
        std::to_string(major(status.st_dev)) + ":" + std::to_string(minor(status.st_dev));
    std::ifstream mounts("/proc/self/mountinfo");
    for (std::string line; std::getline(mounts, line);) {
        const auto fields = split(line, ' ');
        const auto dash = std::find(fields.begin(), fields.end(), "-");
        if (fields.size() > 2 && fields[2] == wanted && fields.end() - dash > 1)
            return std::string(*(dash + 1));
    }
    return {};
}

std::string lock_owner(int fd) {
    std::array<char, 32> text{};
    const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
    return size > 0 ? std::string(trim({text.data(), static_cast<std::size_t>(size)})) : "unknown";
}

Result<FileDescriptor> take_lock(const fs::path& folder) {
    const fs::path file = folder / "lock";
    FileDescriptor fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd)
        return errno_error("wal_read_only", "cannot open " + file.string(), errno);
    give_to_owner_of_folder(fd.get(), file);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return errno_error("wal_io", "cannot lock " + file.string(), errno);
        return make_error(ErrorKind::unavailable, "wal_locked",
                          folder.string() + " is in use: wal_locked: " + lock_owner(fd.get()),
                          "one process writes a log; stop that one, or open it for reading");
    }
    const std::string owner = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd.get(), 0) != 0 ||
        ::pwrite(fd.get(), owner.data(), owner.size(), 0) != static_cast<ssize_t>(owner.size()))
        return errno_error(errno == ENOSPC ? "wal_disk_full" : "wal_io",
                           "cannot write " + file.string(), errno);
    return fd;
}

}  // namespace

fs::path segment_path(const fs::path& folder, std::uint64_t number) {
    return numbered(folder, number, ".mdb");
}
fs::path leaves_path(const fs::path& folder, std::uint64_t number) {
    return numbered(folder, number, ".leaves");
}

Result<FolderListing> list_folder(const fs::path& folder) {
    FolderListing out;
    std::error_code error;
    fs::directory_iterator entries(folder, error);
    if (error)
        return errno_error("wal_missing", "cannot list " + folder.string(), error.value());
    for (; entries != fs::directory_iterator(); entries.increment(error)) {
        if (error)
            return errno_error("wal_io", "cannot list " + folder.string(), error.value());
        const std::string name = entries->path().filename().string();
        std::uint64_t number = 0;
        const char* const end = name.data() + name.size();
        const auto parsed = std::from_chars(name.data(), end, number);
        if (parsed.ec != std::errc() || parsed.ptr - name.data() < 8)
            continue;
        const std::string_view ending(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
        out.highest_number = std::max(out.highest_number, number);
        if (ending == ".mdb")
            out.segments.push_back(number);
        else if (ending == ".leaves")
            out.leaves.push_back(number);
        else if (ending.starts_with(".mdb.damaged"))
            out.damaged.push_back(entries->path());
        else if (ending.starts_with(".mdb.tmp"))
            out.leftovers.push_back(entries->path());
    }
    std::ranges::sort(out.segments);
    std::ranges::sort(out.leaves);
    std::ranges::sort(out.damaged);
    return out;
}

std::optional<std::string> network_file_system(std::uint64_t statfs_type, std::string_view mount) {
    struct Known {
        std::uint64_t type;
        const char* name;
    };
    constexpr std::array<Known, 7> known{{{0x6969, "NFS"},
                                          {0xFF534D42, "CIFS"},
                                          {0xFE534D42, "SMB2"},
                                          {0x517B, "SMB"},
                                          {0x01021997, "9p"},
                                          {0x00C36400, "Ceph"},
                                          {0x5346414F, "AFS"}}};
    for (const Known& each : known)
        if ((statfs_type & 0xFFFFFFFFU) == each.type)
            return each.name;
    for (const std::string_view type :
         {"fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.ceph", "fuse.gcsfuse"})
        if (mount == type)
            return std::string(type);
    return std::nullopt;
}

Result<> refuse_network_disk(const fs::path& folder) {
    struct statfs status {};
    if (::statfs(folder.c_str(), &status) != 0)
        return errno_error("wal_io", "cannot look at the disk of " + folder.string(), errno);
    const auto name =
        network_file_system(static_cast<std::uint64_t>(status.f_type), mount_type(folder));
    if (!name)
        return {};
    return make_error(ErrorKind::config, "wal_network_disk",
                      folder.string() + " lies on a network file system (" + *name +
                          "); a log needs a local disk",
                      "choose a folder on a local disk");
}

Result<FolderClaim> FolderClaim::take(const fs::path& folder, bool for_writing) {
    struct stat status {};
    if (::stat(folder.c_str(), &status) != 0)
        return errno_error("wal_missing", "no log at " + folder.string(), errno);
    const Identity identity{status.st_dev, status.st_ino};
    {
        const std::lock_guard hold(registry_mutex);
        if (!registry().insert(identity).second)
            return make_error(ErrorKind::unavailable, "wal_open_here",
                              folder.string() + " is open in this process already",
                              "share the open log instead");
    }
    FolderClaim claim(identity);
    if (for_writing) {
        AMOSKYS_TRY(lock, take_lock(folder));
        claim.lock_ = std::move(lock);
    }
    return claim;
}

FolderClaim::FolderClaim(FolderClaim&& other) noexcept
    : identity_(std::exchange(other.identity_, std::nullopt)), lock_(std::move(other.lock_)) {}

FolderClaim::~FolderClaim() {
    if (!identity_)
        return;
    const std::lock_guard hold(registry_mutex);
    registry().erase(*identity_);
}

void drop_ballast(const fs::path& folder) {
    std::error_code ignored;  // there may be none
    fs::remove(folder / "ballast", ignored);
}

void take_ballast(const fs::path& folder, std::uint64_t bytes) {
    const fs::path file = folder / "ballast";
    const FileDescriptor fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (fd)
        give_to_owner_of_folder(fd.get(), file);
    if (fd && ::posix_fallocate(fd.get(), 0, static_cast<off_t>(bytes)) != 0)
        drop_ballast(folder);  // a disk this full needs what is left of it
}

std::uint64_t free_bytes(const fs::path& folder) {
    struct statvfs status {};
    if (::statvfs(folder.c_str(), &status) != 0)
        return 0;
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace amoskys::wal
