#include "modules/collectors/proc/decode.h"

#include <catch2/catch.hpp>

#include "core/base/text.h"
#include "modules/collectors/proc/cgroup.h"
#include "modules/collectors/proc/status.h"
#include "modules/collectors/proc/test/fake_proc.h"
#include "modules/collectors/proc/users.h"

using namespace amoskys;
using namespace amoskys::proc;
using namespace std::string_literals;

TEST_CASE("stat is read with the fields where proc(5) has them") {
    const auto text = FakeProc::stat(42, "sshd", 777, 123);
    const auto stat = parse_stat(text);
    REQUIRE(stat);
    CHECK(stat->name == "sshd");
    CHECK(stat->pid == 42);
    CHECK(stat->state == 'S');
    CHECK(stat->ppid == 1);
    CHECK(stat->pgid == 42);
    CHECK(stat->sid == 5);
    CHECK(stat->tty == 34816);
    CHECK(stat->cpu_ticks == 123);
    CHECK(stat->nice == -5);
    CHECK(stat->threads == 3);
    CHECK(stat->start_ticks == 777);
    CHECK(stat->vms_bytes == 1048576);
    CHECK(stat->rss_pages == 100);
    CHECK_FALSE(stat->kernel_thread());
}

TEST_CASE("a process name may hold spaces, parentheses and newlines") {
    for (const std::string name : {"a b", "a) S 1 2 3 (b", ")", "((", "x\ny", ") R 9 9", ""}) {
        CAPTURE(name);
        const auto text = FakeProc::stat(7, name, 5, 6);
        const auto stat = parse_stat(text);
        REQUIRE(stat);
        CHECK(stat->name == name);
        CHECK(stat->start_ticks == 5);
    }
}

TEST_CASE("stat that is cut short or is no stat gives nothing") {
    const auto whole = FakeProc::stat(7, "a", 5, 6);
    const auto enough = whole.find(" 18446744073709551615");
    for (std::size_t size = 0; size + 4 < enough; ++size)
        CHECK_FALSE(parse_stat(std::string_view(whole).substr(0, size)));
    CHECK_FALSE(parse_stat("7 a S 1"));
    CHECK_FALSE(parse_stat(") 7 ("));
    CHECK_FALSE(parse_stat("x (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23"));
}

TEST_CASE("an exec shows in stat, though nothing that ps shows has changed") {
    const auto whole = FakeProc::stat(7, "a", 5, 6);
    const auto with = [&](const std::string& stack, const std::string& arguments) {
        std::string text = whole.substr(0, whole.find(" 18446744073709551615"));
        for (int field = 25; field <= 52; ++field)
            text += " " + (field == 28 ? stack : field == 48 ? arguments : std::string("1"));
        return parse_stat(text + "\n")->image;
    };
    CHECK(with("140720000000000", "140720000000100") == with("140720000000000", "140720000000100"));
    CHECK(with("140720000000000", "140720000000100") != with("140720000000016", "140720000000100"));
    CHECK(with("140720000000000", "140720000000100") != with("140720000000000", "140720000000101"));
    CHECK(with("0", "0") == 0);  // not ours to trace
}

TEST_CASE("status gives ids, capabilities, seccomp, swap and the tracer") {
    const auto status = parse_status(
        "Name:\tx\nTracerPid:\t77\nUid:\t1000\t0\t5\t6\nGid:\t100\t7\t8\t9\nVmSwap:\t     12 kB\n"
        "CapInh:\t0000000000000000\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000000001000\n"
        "CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000400\nNoNewPrivs:\t1\nSeccomp:\t2\n"
        "Seccomp_filters:\t3\n");
    REQUIRE(status);
    CHECK(status->uid == std::array<std::uint32_t, 4>{1000, 0, 5, 6});
    CHECK(status->gid == std::array<std::uint32_t, 4>{100, 7, 8, 9});
    CHECK(status->tracer_pid == 77);
    CHECK(status->swap_bytes == 12 * 1024);
    CHECK(status->capabilities[Status::inheritable] == 0U);
    CHECK(status->capabilities[Status::permitted] == 0x1ffffffffffU);
    CHECK(status->capabilities[Status::effective_set] == 0x1000U);
    CHECK(status->capabilities[Status::bounding] == 0xa80425fbU);
    CHECK(status->capabilities[Status::ambient] == 0x400U);
    CHECK(status->seccomp == 2U);
    CHECK(status->no_new_privs == true);
}

TEST_CASE("what an older kernel's status lacks is not there, without ids it is no status") {
    const auto status = parse_status("Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n");
    REQUIRE(status);
    CHECK_FALSE(status->swap_bytes);
    CHECK_FALSE(status->capabilities[Status::ambient]);
    CHECK_FALSE(status->seccomp);
    CHECK_FALSE(status->no_new_privs);
    CHECK_FALSE(parse_status("Uid:\t1000\n"));
    CHECK_FALSE(parse_status("Uid:\t1\t1\t1\t1\nGid:\t1\t1\t1\n"));
    CHECK_FALSE(parse_status("Uid:\t99999999999\t0\t0\t0\nGid:\t1\t1\t1\t1\n"));
}

TEST_CASE("the proportional share is that of smaps_rollup") {
    CHECK(parse_pss("55-7f ---p [rollup]\nRss:  9 kB\nPss:   7 kB\nPss_Dirty: 1 kB\n") ==
          7 * 1024U);
    CHECK_FALSE(parse_pss("Rss: 9 kB\n"));
}

TEST_CASE("io gives what went to and from storage") {
    const auto io =
        parse_io("rchar: 1\nread_bytes: 22\nwrite_bytes: 33\ncancelled_write_bytes: 4\n");
    REQUIRE(io);
    CHECK(io->read_bytes == 22);
    CHECK(io->write_bytes == 33);
    CHECK_FALSE(parse_io("rchar: 1\n"));
}

TEST_CASE("the cgroup path is that of cgroup2, else of systemd, else the first") {
    CHECK(parse_cgroup("0::/a/b\n") == "/a/b");
    CHECK(parse_cgroup("5:cpu,cpuacct:/c\n1:name=systemd:/s\n0::/two\n") == "/two");
    CHECK(parse_cgroup("5:cpu,cpuacct:/c\n1:name=systemd:/s\n") == "/s");
    CHECK(parse_cgroup("5:cpu,cpuacct:/c:d\n") == "/c:d");
    CHECK(parse_cgroup("").empty());
    CHECK(parse_cgroup("nonsense\n").empty());
}

TEST_CASE("container, runtime and pod are found in the paths of each runtime, cgroup v1 and v2") {
    const std::string id(64, 'a');
    const std::string uid = "11111111-2222-3333-4444-555555555555";
    const std::string low = "11111111_2222_3333_4444_555555555555";
    struct Case {
        std::string text, runtime, pod;
    };
    const Case cases[] = {
        {"0::/system.slice/docker-" + id + ".scope\n", "docker", ""},
        {"12:cpuset:/docker/" + id + "\n0::/\n", "docker", ""},
        {"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + low +
             ".slice/cri-containerd-" + id + ".scope\n",
         "containerd", uid},
        {"0::/system.slice/containerd.service/kubepods-besteffort-pod" + low +
             ".slice:cri-containerd:" + id + "\n",
         "containerd", uid},
        {"4:memory:/kubepods/burstable/pod" + uid + "/" + id + "\n", "", uid},
        {"0::/kubepods.slice/kubepods-pod" + std::string(32, 'f') + ".slice/crio-" + id +
             ".scope\n",
         "cri-o", std::string(32, 'f')},
        {"0::/machine.slice/libpod-" + id + ".scope/container\n", "podman", ""},
        {"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope\n",
         "podman", ""},
        {"0::/system.slice/nerdctl-" + id + ".scope\n", "containerd", ""},
    };
    for (const auto& one : cases) {
        CAPTURE(one.text);
        const auto found = find_container(one.text);
        CHECK(found.id == id);
        CHECK(found.runtime == one.runtime);
        CHECK(found.pod_uid == one.pod);
    }
    CHECK(find_container("0::/lxc.payload.web/init.scope\n").id == "web");
    CHECK(find_container("0::/lxc.payload.web\n").runtime == "lxc");
    CHECK(find_container("0::/machine.slice/machine-deb12.scope/payload\n").runtime == "nspawn");
}

TEST_CASE("what only looks like a container's path is none") {
    const std::string id(64, 'a');
    for (const auto& path :
         {std::string("/system.slice/ssh.service"), "/docker/" + id + "a", "/docker/x" + id,
          "/docker/" + std::string(63, 'a'), "/machine.slice/libpod-conmon-" + id + ".scope",
          "/kubepods.slice/crio-conmon-" + id + ".scope", std::string("/lxc/"),
          std::string("/podcast/pod-1")})
        CHECK(find_container("0::" + path + "\n").id.empty());
    CHECK(find_container("").id.empty());
    CHECK(find_container("nonsense\n1:a\n").id.empty());
}

TEST_CASE("terminals have their usual names") {
    CHECK(tty_name(0).empty());
    CHECK(tty_name(34816) == "pts/0");
    CHECK(tty_name((137U << 8) | 3) == "pts/259");
    CHECK(tty_name(0x401) == "tty1");
    CHECK(tty_name(0x440) == "ttyS0");
    CHECK(tty_name(0x501) == "console");
    CHECK(tty_name((204U << 8) | 64) == "204:64");
}

TEST_CASE("arguments are split at NULs and joined with spaces") {
    Arguments out;
    parse_cmdline("ls\0-l\0\0a b\0"s, out);
    CHECK(out.args == std::vector<std::string>{"ls", "-l", "", "a b"});
    CHECK(out.joined == "ls -l  a b");
    parse_cmdline("nginx: worker"s, out);
    CHECK(out.args == std::vector<std::string>{"nginx: worker"});
    parse_cmdline("", out);
    CHECK(out.args.empty());
    parse_cmdline("a\0\0"s, out);
    CHECK(out.args == std::vector<std::string>{"a", ""});
    parse_cmdline("title" + std::string(300, '\0'), out);
    CHECK(out.args == std::vector<std::string>{"title"});
    CHECK_FALSE(out.truncated);
}

TEST_CASE("arguments become valid UTF-8 without control characters") {
    Arguments out;
    parse_cmdline("a\nb\x1b[31m\0\xff\xfe\0gr\xc3\xbc\xc3\x9f\0"s, out);
    REQUIRE(out.args.size() == 3);
    CHECK(out.args[0] == "a\\x0ab\\x1b[31m");
    CHECK(out.args[1] == "\\xff\\xfe");
    CHECK(out.args[2] == "gr\xc3\xbc\xc3\x9f");
    CHECK(valid_utf8(out.joined));
}

TEST_CASE("arguments are bounded in number and size") {
    Arguments out;
    std::string many;
    for (int i = 0; i < 300; ++i)
        many += "x"s + '\0';
    parse_cmdline(many, out);
    CHECK(out.args.size() == max_args);
    CHECK(out.truncated);
    for (const auto& text :
         {std::string(1 << 20, 'x'), std::string(1 << 20, '\xff'), std::string(40000, '\x80')}) {
        parse_cmdline(text, out);
        CHECK(out.truncated);
        CHECK(out.args.size() == 1);
        CHECK(out.joined.size() <= max_args_bytes);
        CHECK(out.joined.size() > max_args_bytes - 8);
    }
    std::string wide;
    for (int i = 0; i < 20000; ++i)
        wide += "\xe2\x82\xac";
    parse_cmdline(wide, out);
    CHECK(out.truncated);
    CHECK(out.joined.size() <= max_args_bytes);
    CHECK(valid_utf8(out.joined));
    CHECK(out.joined.find("\\x") == std::string::npos);
}

TEST_CASE("text of exactly the limit is whole") {
    std::string out;
    CHECK(append_safe_text("abcd", 4, out));
    CHECK_FALSE(append_safe_text("abcde", 4, out));
    CHECK(out == "abcdabcd");
}

TEST_CASE("users come from passwd lines that are well-formed") {
    const auto names =
        parse_passwd("root:x:0:0::/:/bin/sh\nbroken\nx:y:-1:0\n:x:5:5\nb\x07:x:6:6:\ntwin:x:0:0\n");
    CHECK(names.size() == 2);
    CHECK(names.at(0) == "root");
    CHECK(names.at(6) == "b\\x07");
}

TEST_CASE("users are read again when the file changes") {
    FakeProc fake;
    Users users(fake.root / "passwd");
    users.refresh();
    CHECK(users.name(1) == "daemon");
    CHECK(users.name(1000).empty());
    fake.write("passwd", "root:x:0:0\nalice:x:1000:1000::/home/alice:/bin/sh\n");
    users.refresh();
    CHECK(users.name(1000) == "alice");
    CHECK(users.name(1).empty());
    std::filesystem::remove(fake.root / "passwd");
    users.refresh();
    CHECK(users.name(1000).empty());
}
