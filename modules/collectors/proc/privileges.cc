#include "modules/collectors/proc/privileges.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace amoskys::proc {

Result<> keep_reading_capabilities() {
    // No library: two system calls (capabilities(7)).
    __user_cap_header_struct header{};
    header.version = _LINUX_CAPABILITY_VERSION_3;
    __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
    if (::syscall(SYS_capget, &header, sets) != 0)
        return errno_error("proc_capabilities", "cannot read the capabilities", errno);
    constexpr std::uint32_t wanted = (1U << CAP_SYS_PTRACE) | (1U << CAP_DAC_READ_SEARCH);
    sets[0].permitted &= wanted;
    sets[0].effective = sets[0].permitted;
    sets[0].inheritable = 0;
    sets[1] = {};
    if (::syscall(SYS_capset, &header, sets) != 0)
        return errno_error("proc_capabilities", "cannot give up capabilities", errno);
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return errno_error("proc_capabilities", "cannot refuse new privileges", errno);
    return {};
}

}  // namespace amoskys::proc
