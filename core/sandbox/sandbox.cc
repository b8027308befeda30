#include "core/sandbox/sandbox.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>

#include "core/base/file.h"
#include "core/sandbox/account.h"
#include "core/sandbox/layers.h"

namespace amoskys::sandbox {

namespace {

State entered_state;  // of this process, like what it describes

std::string current_user() {
    const std::optional<Account> account = find_account(read_passwd(), ::geteuid());
    return account ? account->name : std::to_string(::geteuid());
}

// The text behind "NAME:\t" in /proc/PID/status.
std::string status_field(const std::string& status, std::string_view name) {
    const std::string key = "\n" + std::string(name) + ":\t";
    const std::size_t at = status.find(key);
    if (at == std::string::npos)
        return "";
    const std::size_t from = at + key.size();
    return status.substr(from, status.find('\n', from) - from);
}

std::uint64_t hex(const std::string& text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value, 16);
    return value;
}

}  // namespace

Result<State> enter(const Profile& profile) {
    State state;
    const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};  // keys would be in it
    static_cast<void>(::setrlimit(RLIMIT_CORE, &no_core));
    if (!profile.user.empty())
        AMOSKYS_TRY_VOID(become(profile.user));
    state.user = current_user();
    const auto note = [&state](std::string_view layer, const Error& error) {
        state.missing.push_back(std::string(layer) + ": " + error.message);
    };
    if (auto kept = keep_capabilities(profile.keep_capabilities))
        state.capabilities = std::move(*kept);
    else
        note("capabilities", kept.error());
    state.no_new_privileges = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
#ifdef AMOSKYS_INSTRUMENTED
    state.waived.emplace_back("landlock, seccomp: not in an instrumented build");
#else
    if (!profile.restrict_files)
        state.waived.emplace_back(
            "landlock: not where other processes are watched, it would hide them");
    else if (auto abi = restrict_files(profile))
        state.landlock_abi = *abi;
    else
        note("landlock", abi.error());
    if (const Result<> filtered = restrict_system_calls())
        state.system_calls = true;
    else
        note("seccomp", filtered.error());
#endif
    entered_state = state;
    return state;
}

const State& state() {
    return entered_state;
}

State observe() {
    State seen;
    seen.user = current_user();  // readable: /etc is in every profile of ours
    seen.landlock_abi = entered_state.landlock_abi;
    seen.missing = entered_state.missing;
    seen.waived = entered_state.waived;
    seen.no_new_privileges = seen.system_calls = true;
    std::uint64_t effective = 0;
    bool any = false;
    std::error_code ec;
    for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", ec)) {
        const Result<std::string> status = read_file(thread.path() / "status", 65536);
        if (!status)
            continue;  // it has ended
        any = true;
        effective |= hex(status_field(*status, "CapEff"));
        seen.no_new_privileges &= status_field(*status, "NoNewPrivs") == "1";
        seen.system_calls &= status_field(*status, "Seccomp") == "2";
    }
    seen.no_new_privileges &= any;
    seen.system_calls &= any;
    for (unsigned number = 0; number < 64; ++number)
        if ((effective >> number & 1U) != 0) {
            const std::string_view name = capability_name(number);
            seen.capabilities.push_back(name.empty() ? "capability " + std::to_string(number)
                                                     : std::string(name));
        }
    return seen;
}

}  // namespace amoskys::sandbox
