// What this process may still do, taken away from inside: capabilities and their bounding set,
// set-user-id programs (no_new_privs), files outside its folders (Landlock), starting programs, and
// system calls that it never makes (seccomp). A layer that the kernel lacks is left out and named.
// Source: capabilities(7), landlock(7), seccomp(2), prctl(2).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace amoskys::sandbox {

struct Profile {
    std::vector<std::filesystem::path>
        read;  // files, and folders with all below them; one that is missing is left out
    std::vector<std::filesystem::path>
        write;  // the same, to be changed too; for a missing one its nearest folder
    // Landlock also hides the exe, cwd and descriptors of other processes: not for who watches
    // them.
    bool restrict_files = true;
    std::vector<std::string> keep_capabilities;  // "CAP_NET_RAW"; those that the process has stay
    std::string user;                            // name to become; needs root
};

struct State {
    std::string user;
    std::vector<std::string> capabilities;  // effective ones that are left
    bool no_new_privileges = false;
    int landlock_abi = 0;  // 0: files are not restricted
    bool system_calls = false;
    std::vector<std::string> missing;  // "landlock: this kernel has none"
    std::vector<std::string> waived;   // left out on purpose
};

// For the calling thread and all that it starts: to be called while it is the only one. Unknown
// users and those that the process may not become are errors (config, permission); everything else
// that fails is in State::missing.
Result<State> enter(const Profile& profile);

// What enter() did last in this process; all defaults before it.
const State& state();

// The layers as the kernel shows them now, over all threads of this process (/proc/self/task): the
// weakest thread counts.
State observe();

// The number of a capability in capabilities(7), or -1.
int capability_number(std::string_view name);

}  // namespace amoskys::sandbox
