// Each case enters in a child of its own and tries there what must fail: the child's exit code is
// what went wrong.
#include "core/sandbox/sandbox.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <functional>
#include <thread>

#include "core/base/test/temp_folder.h"
#include "core/sandbox/account.h"

using namespace amoskys;

namespace {

constexpr int all_well = 0;

// The exit code of a child that does this; -1 where a signal ended it.
int in_child(const std::function<int()>& act) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0)
        ::_exit(act());
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool opens(const std::filesystem::path& path, int flags = O_RDONLY) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        ::close(fd);
    return fd >= 0;
}

bool starts_true() {
    const char* const arguments[] = {"/bin/true", nullptr};
    ::execv("/bin/true", const_cast<char* const*>(arguments));
    return false;  // execv came back
}

#ifdef AMOSKYS_INSTRUMENTED
constexpr bool restricted = false;
#else
constexpr bool restricted = true;
#endif

}  // namespace

TEST_CASE("a sandboxed process reads and writes inside its folders only") {
    const TempFolder own, foreign;
    own.write("inside", "x");
    foreign.write("outside", "x");
    sandbox::Profile profile;
    profile.write = {own.path};
    const int code = in_child([&]() -> int {
        const auto state = sandbox::enter(profile);
        if (!state)
            return 10;
        if (state->landlock_abi == 0)
            return 77;
        if (!opens(own / "inside", O_RDWR) || !opens(own / "new", O_CREAT | O_WRONLY))
            return 11;
        if (::rename((own / "new").c_str(), (own / "newer").c_str()) != 0)
            return 12;
        if (opens(foreign / "outside") || errno != EACCES)
            return 13;
        if (opens(foreign / "new", O_CREAT | O_WRONLY) || opens("/etc/passwd"))
            return 14;
        if (::unlink((foreign / "outside").c_str()) == 0)
            return 15;
        return all_well;
    });
    if (code == 77)
        WARN("no Landlock here: not tried");
    else
        CHECK(code == all_well);
    CHECK(std::filesystem::exists(foreign / "outside"));
}

TEST_CASE("a sandboxed process starts no program, traces nobody, mounts nothing") {
    sandbox::Profile profile;
    profile.restrict_files = false;
    const int code = in_child([&]() -> int {
        const auto state = sandbox::enter(profile);
        if (!state || !state->no_new_privileges)
            return 10;
        if (!state->system_calls)
            return 77;
        if (starts_true() || errno != EPERM)
            return 11;
        if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0)
            return 12;
        if (::mount("none", "/mnt", "tmpfs", 0, nullptr) == 0 || errno != EPERM)
            return 13;
        bool thread_ran = false;
        std::thread([&] { thread_ran = opens("/etc/passwd"); }).join();
        return thread_ran ? all_well : 14;
    });
    if (code == 77)
        WARN("no seccomp here: not tried");
    else
        CHECK(code == all_well);
}

TEST_CASE("capabilities that are not kept are gone, from every thread") {
    sandbox::Profile profile;
    profile.keep_capabilities = {"CAP_NET_RAW"};
    profile.read = {"/proc"};
    const int code = in_child([&]() -> int {
        if (!sandbox::enter(profile))
            return 10;
        sandbox::State seen;
        std::thread([&] { seen = sandbox::observe(); }).join();
        if (!seen.no_new_privileges)
            return 11;
        for (const std::string& name : seen.capabilities)
            if (name != "CAP_NET_RAW")
                return 12;
        return seen.capabilities == sandbox::state().capabilities ? all_well : 13;
    });
    CHECK(code == all_well);
}

TEST_CASE("a user that does not exist, or that may not be become, is an error") {
    const int code = in_child([]() -> int {
        sandbox::Profile profile;
        profile.user = "no-such-user-here";
        const auto state = sandbox::enter(profile);
        return !state && state.error().kind == ErrorKind::config ? all_well : 10;
    });
    CHECK(code == all_well);
    if (::geteuid() != 0)
        return;
    const int becoming = in_child([]() -> int {
        sandbox::Profile profile;
        profile.user = "nobody";
        const auto state = sandbox::enter(profile);
        if (!state || ::geteuid() == 0 || state->user != "nobody" || !state->capabilities.empty())
            return 11;
        return ::setuid(0) != 0 ? all_well : 12;
    });
    CHECK(becoming == all_well);
}

TEST_CASE("accounts are found by name and by number, lines that are none are skipped") {
    constexpr std::string_view text =
        "# a "
        "comment\nroot:x:0:0:root:/root:/bin/sh\nbad:x:minus:0::/:\ntwin:x:7:70::/:\ntwin:x:8:80::/"
        ":\nshort:x:9\n";
    CHECK(sandbox::find_account(text, "root")->uid == 0);
    CHECK(sandbox::find_account(text, "twin")->gid == 70);
    CHECK(sandbox::find_account(text, uid_t{8})->name == "twin");
    CHECK_FALSE(sandbox::find_account(text, "bad"));
    CHECK_FALSE(sandbox::find_account(text, uid_t{9}));
    CHECK_FALSE(sandbox::find_account("", "root"));
}

TEST_CASE("what is missing or left out is said, and before it nothing is claimed") {
    CHECK_FALSE(sandbox::state().no_new_privileges);
    sandbox::Profile profile;
    profile.restrict_files = false;
    const int code = in_child([&]() -> int {
        const auto state = sandbox::enter(profile);
        return state && !state->waived.empty() && state->landlock_abi == 0 &&
                       state->system_calls == restricted
                   ? all_well
                   : 10;
    });
    CHECK(code == all_well);
    CHECK(sandbox::capability_number("CAP_BPF") == 39);
    CHECK(sandbox::capability_number("CAP_NONE") == -1);
}
