// The system calls that collectors, bus and tools make, by name: those that this architecture lacks
// are left out. What is not named fails with EPERM: starting programs, tracing, mounting, modules,
// namespaces, keys, bpf, io_uring...
#include <seccomp.h>

#include <array>
#include <memory>

#include "core/sandbox/layers.h"

namespace amoskys::sandbox {

namespace {

constexpr std::array allowed_calls = {
    // files
    "open", "openat", "openat2", "close", "close_range", "read", "write", "readv", "writev",
    "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2", "lseek", "_llseek", "stat",
    "fstat", "lstat", "stat64", "fstat64", "lstat64", "fstatat64", "newfstatat", "statx", "statfs",
    "fstatfs", "statfs64", "fstatfs64", "access", "faccessat", "faccessat2", "getdents",
    "getdents64", "getcwd", "readlink", "readlinkat", "fcntl", "fcntl64", "flock", "fsync",
    "fdatasync", "sync_file_range", "fallocate", "ftruncate", "ftruncate64", "truncate",
    "truncate64", "fadvise64", "readahead", "rename", "renameat", "renameat2", "mkdir", "mkdirat",
    "rmdir", "link", "linkat", "unlink", "unlinkat", "chmod", "fchmod", "fchmodat", "chown",
    "fchown", "fchownat", "umask", "utimensat", "futimesat", "dup", "dup2", "dup3", "pipe", "pipe2",
    "sendfile", "sendfile64", "splice", "copy_file_range", "memfd_create", "ioctl", "syncfs",
    "sync",
    // memory
    "mmap", "mmap2", "mprotect", "munmap", "mremap", "msync", "madvise", "mincore", "mlock",
    "mlock2", "munlock", "mlockall", "munlockall", "brk", "membarrier",
    // threads and signals
    "clone", "clone3", "futex", "futex_time64", "futex_waitv", "set_robust_list", "get_robust_list",
    "set_tid_address", "rseq", "gettid", "getpid", "getppid", "getpgid", "getpgrp", "getsid",
    "exit", "exit_group", "wait4", "waitid", "kill", "tkill", "tgkill", "rt_sigaction",
    "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigsuspend", "rt_sigtimedwait",
    "rt_sigqueueinfo", "rt_tgsigqueueinfo", "sigaltstack", "sigreturn", "restart_syscall",
    "sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_getscheduler",
    "sched_get_priority_max", "sched_get_priority_min", "getpriority", "setpriority", "getcpu",
    "arch_prctl", "set_thread_area", "prctl", "seccomp", "pidfd_open", "pidfd_send_signal",
    // who we are
    "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "capget",
    "capset", "uname", "sysinfo", "times", "getrusage", "getrlimit", "setrlimit", "ugetrlimit",
    "prlimit64",
    // time
    "clock_gettime", "clock_gettime64", "clock_getres", "clock_nanosleep", "clock_nanosleep_time64",
    "nanosleep", "gettimeofday", "time", "timerfd_create", "timerfd_settime", "timerfd_gettime",
    "getitimer", "setitimer", "alarm", "getrandom",
    // waiting, and the network
    "select", "_newselect", "pselect6", "poll", "ppoll", "ppoll_time64", "epoll_create",
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd",
    "eventfd2", "signalfd", "signalfd4", "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
    "socket", "socketpair", "socketcall", "bind", "listen", "accept", "accept4", "connect",
    "shutdown", "getsockname", "getpeername", "getsockopt", "setsockopt", "send", "sendto",
    "sendmsg", "sendmmsg", "recv", "recvfrom", "recvmsg", "recvmmsg"};

struct ReleaseFilter {
    void operator()(void* filter) const { seccomp_release(filter); }
};

}  // namespace

Result<> restrict_system_calls() {
    const std::unique_ptr<void, ReleaseFilter> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
    if (filter == nullptr)
        return make_error(ErrorKind::unavailable, "sandbox_system_calls",
                          "no filter of system calls could be made");
    int failed = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    for (const char* name : allowed_calls)
        if (const int number = seccomp_syscall_resolve_name(name); failed == 0 && number >= 0)
            failed = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, number, 0);
    if (failed == 0)
        failed = seccomp_load(filter.get());
    if (failed != 0)
        return errno_error("sandbox_system_calls", "this kernel takes no filter of system calls",
                           -failed);
    return {};
}

}  // namespace amoskys::sandbox
