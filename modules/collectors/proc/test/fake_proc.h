// A made-up /proc in a temporary folder, removed on destruction. For the tests of this folder.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace amoskys::proc {

class FakeProc {
  public:
    FakeProc() {
        std::string name =
            (std::filesystem::temp_directory_path() / "amoskys_proc_XXXXXX").string();
        root = ::mkdtemp(name.data());
        write("uptime", "1000.00 900.00\n");
        write("sys/kernel/random/boot_id", "0c1d2e3f-0000-4000-8000-000000000001\n");
        write("group", "root:x:0:\nstaff:x:7:daemon\n");
        write("passwd", "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\n");
    }
    ~FakeProc() {
        std::error_code ignored;
        std::filesystem::remove_all(root, ignored);
    }
    FakeProc(const FakeProc&) = delete;
    FakeProc& operator=(const FakeProc&) = delete;

    void write(const std::string& path, const std::string& content) {
        std::filesystem::create_directories((root / path).parent_path());
        std::ofstream(root / path, std::ios::binary | std::ios::trunc) << content;
    }

    // start and cpu in clock ticks.
    void process(unsigned pid, const std::string& comm, unsigned long start, unsigned long cpu,
                 const std::string& cmdline) {
        const auto folder = std::to_string(pid) + "/";
        write(folder + "stat", stat(pid, comm, start, cpu));
        write(folder + "status",
              "Name:\tx\nUmask:\t0022\nUid:\t1\t1001\t1\t1\nGid:\t7\t7\t7\t7\nThreads:\t3\n"
              "CapEff:\t0000000000000400\nSeccomp:\t2\n");
        write(folder + "cmdline", cmdline);
        write(folder + "cgroup", "0::/system.slice/ssh.service\n");
        write(folder + "io", "rchar: 9\nwchar: 9\nread_bytes: 4096\nwrite_bytes: 8192\n");
        std::filesystem::create_directories(root / folder / "fd");
        write(folder + "fd/0", "");
        write(folder + "fd/1", "");
        link(folder + "exe", "/usr/sbin/sshd");
        link(folder + "cwd", "/");
        link(folder + "root", "/");
    }
    static std::string stat(unsigned pid, const std::string& comm, unsigned long start,
                            unsigned long cpu) {
        return std::to_string(pid) + " (" + comm + ") S 1 " + std::to_string(pid) +
               " 5 34816 -1 4194560 " + "1 2 3 4 " + std::to_string(cpu) + " 0 0 0 20 -5 3 0 " +
               std::to_string(start) +
               " 1048576 100 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0\n";
    }
    void link(const std::string& path, const std::string& target) {
        std::filesystem::remove(root / path);
        std::filesystem::create_symlink(target, root / path);
    }
    void remove(unsigned pid) { std::filesystem::remove_all(root / std::to_string(pid)); }

    std::filesystem::path root;
};

}  // namespace amoskys::proc
