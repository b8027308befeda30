#include "modules/collectors/proc/security.h"

#include <catch2/catch.hpp>
#include <set>

using namespace amoskys;
using namespace amoskys::proc;
using messaging::ProcessEvent;

namespace {

ProcessEvent program(const std::string& exe, const std::vector<std::string>& args = {}) {
    ProcessEvent event;
    event.set_pid(100);
    event.set_ppid(50);
    event.set_uid(1000);
    event.set_euid(1000);
    event.set_exe(exe);
    event.set_name(exe.substr(exe.rfind('/') + 1));
    event.set_tty("pts/0");
    std::string joined;
    for (const auto& arg : args) {
        event.add_args(arg);
        joined += (joined.empty() ? "" : " ") + arg;
    }
    event.set_cmdline(joined);
    event.add_namespaces("mnt:[1]");
    return event;
}

std::set<std::string> said(const Subject& subject) {
    std::set<std::string> out;
    for (const auto& observation : judge(subject))
        out.insert(std::string(info_of(observation.rule).name));
    return out;
}
std::set<std::string> said(const ProcessEvent& event, const Evidence& evidence = {},
                           const ProcessEvent* before = nullptr,
                           const ProcessEvent* parent = nullptr) {
    return said(Subject{event, evidence, before, parent, nullptr, false});
}
using Names = std::set<std::string>;

}  // namespace

TEST_CASE("every rule has a name of its own, an ATT&CK technique and a severity") {
    Names names;
    for (std::size_t i = 0; i < rule_count; ++i) {
        const auto& rule = info_of(static_cast<Rule>(i));
        CHECK(names.insert(std::string(rule.name)).second);
        CHECK(rule.technique.starts_with("T1"));
        CHECK(Names{"WARN", "ERROR", "CRITICAL"}.contains(std::string(rule.severity)));
        CHECK(rule.risk > 0);
        CHECK_FALSE(rule.what.empty());
    }
}

TEST_CASE("ordinary programs of a Debian host are not worth a word") {
    for (const auto* exe :
         {"/usr/lib/systemd/systemd", "/usr/sbin/sshd", "/usr/bin/python3.11", "/usr/bin/dpkg-deb",
          "/usr/lib/x86_64-linux-gnu/utempter/utempter", "/usr/bin/x86_64-linux-gnu-g++-12",
          "/usr/lib/gcc/x86_64-linux-gnu/12/cc1plus", "/usr/sbin/nginx", "/snap/core22/1234/bin/sh",
          "/usr/bin/lesspipe", "/usr/sbin/NetworkManager", "/usr/bin/dbus-daemon"}) {
        CAPTURE(exe);
        CHECK(said(program(exe, {exe, "--flag"})).empty());
    }
    CHECK(said(program("/usr/bin/bash", {"-bash"})).empty());
    CHECK(said(program("/usr/bin/chmod", {"chmod", "0755", "a"})).empty());
    CHECK(said(program("/usr/bin/chmod", {"chmod", "u+rwX", "a"})).empty());
}

TEST_CASE("where a program's file is, or is not") {
    auto event = program("/usr/bin/gone (deleted)");
    event.set_exe_state("DELETED");
    CHECK(said(event) == Names{"exe_deleted"});
    event.set_exe_state("REPLACED");  // an upgrade
    CHECK(said(event).empty());
    event = program("/memfd:x (deleted)");
    event.set_exe_state("MEMFD");
    CHECK(said(event) == Names{"exe_in_memory"});
    CHECK(said(program("/dev/shm/a")) == Names{"exe_in_shared_memory"});
    CHECK(said(program("/usr/bin/dash", {"sh", "/dev/shm/a.sh"})) == Names{"exe_in_shared_memory"});
    CHECK(said(program("/var/tmp/a")) == Names{"exe_in_temporary_folder"});
    CHECK(said(program("/tmpfoo/a")).empty());
}

TEST_CASE("shells: of a server, on a socket, without a terminal") {
    const auto shell = program("/usr/bin/dash", {"sh", "-c", "id"});
    const auto server = program("/usr/sbin/php-fpm8.2");
    CHECK(said(shell, {}, nullptr, &server) == Names{"shell_from_server"});
    Evidence evidence;
    evidence.stdio.emplace();
    evidence.stdio->remote_port = 4444;
    CHECK(said(shell, evidence) == Names{"shell_on_socket"});
    CHECK(said(program("/usr/bin/python3.11"), evidence) == Names{"shell_on_socket"});
    CHECK(said(program("/usr/sbin/sshd"), evidence).empty());
    auto blind = program("/usr/bin/bash", {"bash", "-i"});
    CHECK(said(blind).empty());
    blind.clear_tty();
    CHECK(said(blind) == Names{"shell_without_terminal"});
}

TEST_CASE("becoming root needs a program that is meant for it") {
    const auto before = program("/usr/bin/bash");
    auto root = program("/opt/tool");
    root.set_euid(0);
    CHECK(said(root, {}, &before) == Names{"privilege_gained"});
    auto sudo = program("/usr/bin/sudo");
    sudo.set_euid(0);
    CHECK(said(sudo, {}, &before).empty());
    auto root_before = before;
    root_before.set_uid(0);  // a daemon that goes back to root
    CHECK(said(root, {}, &root_before).empty());
    Evidence evidence;
    evidence.tunables = "GLIBC_TUNABLES=x";
    CHECK(said(sudo, evidence) == Names{"tunables_of_setuid"});
    for (const auto* mode : {"u+s", "4755", "06711", "ug+sx", "g=xs"})
        CHECK(said(program("/usr/bin/chmod", {"chmod", mode, "f"})) == Names{"setuid_bit_set"});
    auto able = program("/opt/tool");
    able.set_cap_effective(1ULL << 21U);
    CHECK(said(able) == Names{"capabilities_without_root"});
    evidence = {};
    evidence.own_users = true;  // root of a namespace of its own
    CHECK(said(able, evidence).empty());
    able.set_cap_effective(1ULL << 10U);  // NET_BIND_SERVICE
    CHECK(said(able).empty());
}

TEST_CASE("names that hide, and names that say it") {
    CHECK(said(program("/opt/x", {"[kworker/0:1]"})) == Names{"kernel_thread_name"});
    auto renamed = program("/opt/x");
    renamed.set_name("kworker/u4:2");
    CHECK(said(renamed) == Names{"kernel_thread_name"});
    CHECK(said(program("/opt/x", {"[celeryd: worker]"})).empty());
    CHECK(said(program("/opt/k3j9x2m7q4")) == Names{"random_name"});
    CHECK(said(program("/opt/libreoffice7")).empty());
    CHECK(said(program("/opt/xmrig")) == Names{"coin_miner"});
    CHECK(said(program("/opt/a", {"a", "-o", "stratum+tcp://pool:3333"})) == Names{"coin_miner"});
}

TEST_CASE("containers, modules and packets") {
    auto inside = program("/usr/bin/nc");
    inside.set_container_id("web");
    CHECK(said(inside) == Names{"tool_in_container"});
    Evidence evidence;
    evidence.host_mounts = true;
    CHECK(said(inside, evidence) == Names{"tool_in_container", "container_on_host_mounts"});
    CHECK(said(program("/usr/bin/bash"), evidence).empty());
    CHECK(said(program("/usr/bin/nsenter", {"nsenter", "-t", "1", "-m"})) ==
          Names{"host_namespaces_entered"});
    CHECK(said(program("/usr/bin/kmod", {"/sbin/insmod", "x.ko"})) == Names{"kernel_module_load"});
    auto by_kernel = program("/usr/bin/kmod", {"modprobe", "x"});
    by_kernel.set_ppid(2);
    CHECK(said(by_kernel).empty());
    evidence = {};
    evidence.packet_socket = true;
    CHECK(said(program("/usr/bin/tcpdump"), evidence) == Names{"raw_socket"});
    CHECK(said(program("/usr/sbin/dhclient"), evidence).empty());
}

TEST_CASE("the allow list names a rule, or all, and a program or the evidence") {
    const auto allow = AllowList::parse(std::vector<std::string>{
        "exe_in_temporary_folder /tmp/build/*", "* /opt/agent", "library_preload *jemalloc*"});
    REQUIRE(allow.has_value());
    CHECK(allow->allows({Rule::exe_in_temporary_folder, "x"}, program("/tmp/build/a.out")));
    CHECK_FALSE(allow->allows({Rule::exe_in_temporary_folder, "x"}, program("/tmp/a.out")));
    CHECK_FALSE(allow->allows({Rule::exe_deleted, "x"}, program("/tmp/build/a.out")));
    CHECK(allow->allows({Rule::traced, "x"}, program("/opt/agent")));
    CHECK(allow->allows({Rule::library_preload, "LD_PRELOAD=/usr/lib/libjemalloc.so"},
                        program("/usr/bin/ruby")));
    const auto wrong = check_allow("exe_in_tmp /x");
    REQUIRE_FALSE(wrong.has_value());
    CHECK(wrong.error().kind == ErrorKind::config);
    CHECK_FALSE(check_allow("traced").has_value());
    CHECK(check_allow("exe_delete /x").error().hint == "did you mean exe_deleted?");
}

TEST_CASE("an observation carries technique, evidence and the process") {
    auto event = program("/dev/shm/a", {"/dev/shm/a", "-x"});
    event.set_start_ticks(7);
    event.set_boot_id("b");
    event.set_user("alice");
    event.set_exe_sha256("00ff");
    event.add_ancestors("50 bash");
    event.add_ancestors("1 systemd");
    const Evidence evidence;
    const Subject subject{event, evidence};
    messaging::DeviceTelemetry record;
    add_security_event(judge(subject).at(0), subject, "box", record);
    REQUIRE(record.events_size() == 1);
    const auto& out = record.events(0);
    CHECK(out.event_type() == "SECURITY");
    CHECK(out.severity() == "ERROR");
    CHECK(out.event_id() == "exe_in_shared_memory:b:100:7");
    CHECK(out.security_event().mitre_techniques(0) == "T1059.004");
    CHECK(out.security_event().user_name() == "alice");
    CHECK(out.security_event().affected_asset() == "box");
    CHECK(out.security_event().threat_indicators(0).indicator_value() == "00ff");
    CHECK(out.attributes().at("cmdline") == "/dev/shm/a -x");
    CHECK(out.attributes().at("ancestors") == "50 bash < 1 systemd");
}
