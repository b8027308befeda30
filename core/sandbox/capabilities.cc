#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "core/base/text.h"
#include "core/sandbox/account.h"
#include "core/sandbox/layers.h"

namespace amoskys::sandbox {

namespace {

constexpr std::array<std::string_view, capabilities_known> capability_names = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE"};

// The sets of the calling thread, as the kernel has them: 32 bits each.
struct CapabilitySets {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> words{};

    bool read() { return ::syscall(SYS_capget, &header, words.data()) == 0; }
    bool write() { return ::syscall(SYS_capset, &header, words.data()) == 0; }
};

}  // namespace

std::string_view capability_name(unsigned number) {
    return number < capabilities_known ? capability_names[number] : std::string_view();
}

int capability_number(std::string_view name) {
    const auto* const at = std::find(capability_names.begin(), capability_names.end(), name);
    return at == capability_names.end() ? -1 : static_cast<int>(at - capability_names.begin());
}

Result<> become(const std::string& user) {
    const std::optional<Account> account = find_account(read_passwd(), user);
    if (!account)
        return make_error(ErrorKind::config, "sandbox_user",
                          "there is no user '" + printable(user) + "' in /etc/passwd");
    const auto [name, uid, gid] = *account;
    if (::geteuid() == uid)
        return {};
    const bool done = ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && ::setgroups(0, nullptr) == 0 &&
                      ::setresgid(gid, gid, gid) == 0 && ::setresuid(uid, uid, uid) == 0;
    if (!done)
        return errno_error("sandbox_user", "cannot become user '" + user + "'", errno);
    return {};
}

Result<std::vector<std::string>> keep_capabilities(const std::vector<std::string>& names) {
    CapabilitySets sets;
    if (!sets.read())
        return errno_error("sandbox_capabilities", "cannot read the capabilities", errno);
    std::vector<std::string> kept;
    std::array<std::uint32_t, _LINUX_CAPABILITY_U32S_3> wanted{};
    for (const std::string& name : names) {
        const int number = capability_number(name);
        if (number < 0)
            continue;
        const auto word = static_cast<unsigned>(number) / 32;
        const std::uint32_t bit = 1U << (static_cast<unsigned>(number) % 32);
        if ((sets.words[word].permitted & bit) == 0)
            continue;
        wanted[word] |= bit;
        kept.push_back(name);
    }
    // Of the bounding set only one with CAP_SETPCAP can take something away; no_new_privs makes up
    // for it.
    for (unsigned number = 0; ::prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; ++number)
        if (number / 32 >= wanted.size() || (wanted[number / 32] >> (number % 32) & 1U) == 0)
            static_cast<void>(::prctl(PR_CAPBSET_DROP, number, 0, 0, 0));
    static_cast<void>(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
    for (std::size_t word = 0; word < wanted.size(); ++word)
        sets.words[word] = {.effective = wanted[word], .permitted = wanted[word], .inheritable = 0};
    if (!sets.write())
        return errno_error("sandbox_capabilities", "cannot give up capabilities", errno);
    return kept;
}

}  // namespace amoskys::sandbox
