#include "modules/collectors/flow/privileges.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace amoskys::flow {

Result<> drop_all_capabilities() {
    // Ambient ones fall with the permitted set. No library: two system calls (capabilities(7)).
    __user_cap_header_struct header{};
    header.version = _LINUX_CAPABILITY_VERSION_3;
    __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3]{};
    if (::syscall(SYS_capset, &header, none) != 0)
        return errno_error("flow_capabilities", "cannot give up the capabilities", errno);
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return errno_error("flow_capabilities", "cannot refuse new privileges", errno);
    return {};
}

}  // namespace amoskys::flow
