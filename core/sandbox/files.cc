// Landlock. Debian 12's header knows the rights of ABI 2; later ones stand here by their numbers.
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "core/sandbox/layers.h"

namespace amoskys::sandbox {

namespace {

constexpr std::uint64_t right_refer = 1U << 13U;     // ABI 2: rename and link between folders
constexpr std::uint64_t right_truncate = 1U << 14U;  // ABI 3
constexpr std::uint64_t rights_of_abi_1 = (1U << 13U) - 1;
constexpr std::uint64_t read_rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t file_rights =  // the others are refused for what is no folder
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
    right_truncate;

struct Descriptor {
    int number = -1;
    explicit Descriptor(int fd) : number(fd) {}
    ~Descriptor() {
        if (number >= 0)
            ::close(number);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
};

// Of what is to be created: the folder in which that will happen; not the root of everything.
std::filesystem::path existing(std::filesystem::path path) {
    std::error_code ec;
    path = std::filesystem::absolute(path, ec).lexically_normal();
    while (!ec && !std::filesystem::exists(path, ec) && path.has_relative_path())
        path = path.parent_path();
    return path;
}

Result<> allow(int ruleset, const std::filesystem::path& path, std::uint64_t rights) {
    const Descriptor at(::open(path.c_str(), O_PATH | O_CLOEXEC));
    struct stat about {};
    if (at.number < 0 || ::fstat(at.number, &about) != 0)
        return {};
    landlock_path_beneath_attr rule{
        .allowed_access = S_ISDIR(about.st_mode) ? rights : rights & file_rights,
        .parent_fd = at.number};
    if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        return errno_error("sandbox_files", "landlock: " + path.string(), errno);
    return {};
}

}  // namespace

Result<int> restrict_files(const Profile& profile) {
    const auto abi = static_cast<int>(
        ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
    if (abi < 1)
        return make_error(ErrorKind::unavailable, "sandbox_files",
                          "this kernel has no Landlock, or it is switched off");
    std::uint64_t handled = rights_of_abi_1;
    if (abi >= 2)
        handled |= right_refer;
    if (abi >= 3)
        handled |= right_truncate;
    const std::uint64_t write_rights =
        handled &
        ~static_cast<std::uint64_t>(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                    LANDLOCK_ACCESS_FS_MAKE_BLOCK);
    landlock_ruleset_attr attributes{.handled_access_fs = handled};
    const Descriptor ruleset(static_cast<int>(
        ::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
    if (ruleset.number < 0)
        return errno_error("sandbox_files", "landlock", errno);
    for (const std::filesystem::path& path : profile.read)
        AMOSKYS_TRY_VOID(allow(ruleset.number, path, read_rights));
    for (const std::filesystem::path& path : profile.write)
        if (const std::filesystem::path found = existing(path); found.has_relative_path())
            AMOSKYS_TRY_VOID(allow(ruleset.number, found, write_rights));
    if (::syscall(SYS_landlock_restrict_self, ruleset.number, 0) != 0)
        return errno_error("sandbox_files", "landlock", errno);
    return abi;
}

}  // namespace amoskys::sandbox
