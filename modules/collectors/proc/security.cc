#include "modules/collectors/proc/security.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace amoskys::proc {
namespace {

using messaging::ProcessEvent;

constexpr RuleInfo rules[] = {
    {"exe_deleted", "T1070.004", "WARN", 0.5F, "the program's file was deleted"},
    {"exe_in_memory", "T1620", "CRITICAL", 0.9F, "runs from memory, without a file"},
    {"exe_in_shared_memory", "T1059.004", "ERROR", 0.7F, "runs from shared memory"},
    {"exe_in_temporary_folder", "T1059", "WARN", 0.4F, "runs from a folder anybody can write to"},
    {"library_preload", "T1574.006", "ERROR", 0.6F, "a library is put before all others"},
    {"tunables_of_setuid", "T1068", "ERROR", 0.7F,
     "a setuid program got tunables of the C library"},
    {"shell_from_server", "T1505.003", "CRITICAL", 0.8F, "a server started a shell"},
    {"shell_on_socket", "T1059.004", "CRITICAL", 0.95F, "an interpreter talks to a network socket"},
    {"shell_without_terminal", "T1059.004", "WARN", 0.5F, "an interactive shell has no terminal"},
    {"privilege_gained", "T1548.001", "ERROR", 0.7F, "became root without a program meant for it"},
    {"setuid_bit_set", "T1548.001", "WARN", 0.5F, "a file is made setuid or setgid"},
    {"traced", "T1055.008", "ERROR", 0.6F, "another process controls it"},
    {"kernel_thread_name", "T1036.004", "CRITICAL", 0.9F, "a program calls itself a kernel thread"},
    {"random_name", "T1036", "WARN", 0.3F, "its name looks made by chance"},
    {"kernel_module_load", "T1547.006", "WARN", 0.5F, "a kernel module is loaded"},
    {"container_on_host_mounts", "T1611", "ERROR", 0.8F, "a container sees the host's files"},
    {"host_namespaces_entered", "T1611", "ERROR", 0.7F, "enters the namespaces of process 1"},
    {"capabilities_without_root", "T1548", "WARN", 0.5F, "an ordinary user has a root capability"},
    {"raw_socket", "T1040", "WARN", 0.5F, "can read packets"},
    {"tool_in_container", "T1105", "WARN", 0.5F, "a tool that services do not need"},
    {"coin_miner", "T1496", "ERROR", 0.8F, "mines coins"},
};
static_assert(std::size(rules) == rule_count);

using Names = std::span<const std::string_view>;

constexpr std::string_view shells[] = {"sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "tcsh"};
constexpr std::string_view interpreters[] = {"python", "perl", "ruby", "php", "lua", "node"};
constexpr std::string_view servers[] = {
    "nginx",    "apache2", "httpd",        "lighttpd",  "caddy", "php-fpm", "mysqld", "mariadbd",
    "postgres", "mongod",  "redis-server", "memcached", "named", "vsftpd",  "slapd"};
constexpr std::string_view privilege_programs[] = {"sudo",
                                                   "su",
                                                   "pkexec",
                                                   "passwd",
                                                   "chsh",
                                                   "chfn",
                                                   "chage",
                                                   "expiry",
                                                   "newgrp",
                                                   "gpasswd",
                                                   "mount",
                                                   "umount",
                                                   "fusermount",
                                                   "fusermount3",
                                                   "unix_chkpwd",
                                                   "crontab",
                                                   "at",
                                                   "doas",
                                                   "login",
                                                   "newuidmap",
                                                   "newgidmap",
                                                   "ssh-keysign",
                                                   "mount.nfs",
                                                   "mount.cifs",
                                                   "ping",
                                                   "pppd",
                                                   "exim4",
                                                   "bwrap",
                                                   "snap-confine",
                                                   "Xorg.wrap",
                                                   "dbus-daemon-launch-helper",
                                                   "polkit-agent-helper-1"};
constexpr std::string_view packet_readers[] = {
    "dhclient",         "dhcpcd", "NetworkManager", "lldpd",      "wpa_supplicant",
    "systemd-networkd", "ping",   "arping",         "keepalived", "amoskys"};
constexpr std::string_view capable_services[] = {"rtkit-daemon", "systemd-oomd", "systemd-coredump",
                                                 "amoskys"};
constexpr std::string_view container_tools[] = {"apt",  "apt-get", "dpkg",   "dnf",    "yum",
                                                "rpm",  "apk",     "nc",     "ncat",   "netcat",
                                                "nmap", "socat",   "tshark", "tcpdump"};
constexpr std::string_view miners[] = {"xmrig",    "minerd",   "cpuminer", "ethminer",
                                       "nbminer",  "lolMiner", "ccminer",  "cgminer",
                                       "bfgminer", "xmr-stak", "t-rex",    "PhoenixMiner"};
constexpr std::string_view kernel_names[] = {"kworker/", "kthreadd",   "ksoftirqd/", "migration/",
                                             "rcu_",     "kswapd",     "khugepaged", "kcompactd",
                                             "kauditd",  "khungtaskd", "cpuhp/",     "jbd2/"};

bool one_of(std::string_view name, Names names) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

bool begins_as(std::string_view text, Names names) {
    return std::any_of(names.begin(), names.end(),
                       [&](std::string_view name) { return text.starts_with(name); });
}

bool below(std::string_view path, Names folders) {
    return begins_as(path, folders);
}

// The file's name, without the kernel's " (deleted)".
std::string_view base_name(std::string_view path) {
    constexpr std::string_view mark = " (deleted)";
    if (path.ends_with(mark))
        path.remove_suffix(mark.size());
    return path.substr(path.rfind('/') + 1);
}

std::string_view program_name(const ProcessEvent& event) {
    return event.exe().empty() ? std::string_view(event.name()) : base_name(event.exe());
}

std::string_view argument(const ProcessEvent& event, int index) {
    return index < event.args_size() ? std::string_view(event.args(index)) : std::string_view();
}

bool has_argument(const ProcessEvent& event, std::string_view wanted) {
    return std::find(event.args().begin(), event.args().end(), wanted) != event.args().end();
}

bool is_shell(const ProcessEvent& event) {
    const auto name = program_name(event);
    return one_of(name, shells) ||
           (name == "busybox" && one_of(base_name(argument(event, 0)), shells));
}

// "u+s", "ug+sx", "4755", "06711": a mode that sets a set-id bit.
bool sets_id_bit(std::string_view mode) {
    if (mode.empty() || mode.front() == '-')
        return false;
    if (mode.find_first_not_of("01234567") == std::string_view::npos) {
        while (mode.size() > 4 && mode.front() == '0')
            mode.remove_prefix(1);
        return mode.size() == 4 && ((mode.front() - '0') & 6) != 0;
    }
    const auto sign = mode.find_first_of("+=");
    return sign != std::string_view::npos &&
           mode.substr(0, sign).find_first_not_of("ugoa") == std::string_view::npos &&
           mode.find('s', sign) != std::string_view::npos &&
           mode.find('/') == std::string_view::npos;
}

// Letters and digits mixed more than a version number mixes them, with few repeats.
bool looks_random(std::string_view name) {
    constexpr std::size_t shortest = 10;
    if (name.size() < shortest)
        return false;
    std::array<unsigned, 256> counts{};
    unsigned digits = 0, changes = 0;
    bool was_digit = false;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const auto c = static_cast<unsigned char>(name[i]);
        const bool digit = c >= '0' && c <= '9';
        if (!digit && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z'))
            return false;
        changes += i > 0 && digit != was_digit ? 1U : 0U;
        digits += digit ? 1U : 0U;
        was_digit = digit;
        ++counts[c];
    }
    double bits = 0;
    for (const unsigned count : counts)
        if (count != 0) {
            const double share = count / static_cast<double>(name.size());
            bits -= share * std::log2(share);
        }
    return digits >= 2 && changes >= 4 && bits >= 3.0;
}

// The network, without the brackets: "[kworker/0:1]" and no spaces.
bool kernel_title(std::string_view title) {
    return title.size() > 2 && title.front() == '[' && title.back() == ']' &&
           title.find(' ') == std::string_view::npos;
}

class Judge {
  public:
    explicit Judge(const Subject& subject)
        : subject_(subject), event_(subject.event), name_(program_name(subject.event)) {}
    std::vector<Observation> run();

  private:
    void say(Rule rule, std::string_view evidence) {
        out_.push_back({rule, std::string(evidence)});
    }
    void files();
    void environment();
    void shell();
    void privileges();
    void names();
    void containers();
    void commands();

    const Subject& subject_;
    const ProcessEvent& event_;
    std::string_view name_;
    std::vector<Observation> out_;
};

void Judge::files() {
    constexpr std::string_view shared[] = {"/dev/shm/", "/run/shm/"};
    constexpr std::string_view temporary[] = {"/tmp/", "/var/tmp/"};
    const auto& exe = event_.exe();
    if (event_.exe_state() == "MEMFD")
        say(Rule::exe_in_memory, exe);
    else if (event_.exe_state() == "DELETED")
        say(Rule::exe_deleted, exe);
    const bool script = is_shell(event_) || begins_as(name_, interpreters);
    if (below(exe, shared))
        say(Rule::exe_in_shared_memory, exe);
    else if (script && below(argument(event_, 1), shared))
        say(Rule::exe_in_shared_memory, argument(event_, 1));
    else if (below(exe, temporary))
        say(Rule::exe_in_temporary_folder, exe);
}

void Judge::environment() {
    if (!subject_.evidence.preload.empty())
        say(Rule::library_preload, subject_.evidence.preload);
    if (!subject_.evidence.tunables.empty() && event_.euid() != event_.uid())
        say(Rule::tunables_of_setuid, subject_.evidence.tunables);
}

void Judge::shell() {
    const bool shell = is_shell(event_);
    if (shell && subject_.parent != nullptr && begins_as(program_name(*subject_.parent), servers))
        say(Rule::shell_from_server, "parent " + subject_.parent->name());
    if (subject_.evidence.stdio && (shell || begins_as(name_, interpreters)))
        say(Rule::shell_on_socket, subject_.evidence.stdio->remote_text());
    if (shell && event_.tty().empty() && has_argument(event_, "-i"))
        say(Rule::shell_without_terminal, event_.cmdline());
}

void Judge::privileges() {
    const auto* const before = subject_.before;
    if (before != nullptr && before->has_euid() && event_.has_euid() && before->euid() != 0 &&
        before->uid() != 0 && event_.euid() == 0 && !one_of(name_, privilege_programs))
        say(Rule::privilege_gained, "user " + std::to_string(before->uid()) + " before");
    if (subject_.tracer != nullptr)
        say(Rule::traced,
            "by " + std::to_string(subject_.tracer->pid()) + " " + subject_.tracer->name());
    // DAC_OVERRIDE, DAC_READ_SEARCH, SETUID, SYS_MODULE, SYS_RAWIO, SYS_PTRACE, SYS_ADMIN, SETFCAP,
    // BPF: each is as good as being root.
    constexpr std::uint64_t root_like = 1ULL << 1U | 1ULL << 2U | 1ULL << 7U | 1ULL << 16U |
                                        1ULL << 17U | 1ULL << 19U | 1ULL << 21U | 1ULL << 31U |
                                        1ULL << 39U;
    if (event_.has_euid() && event_.euid() != 0 && (event_.cap_effective() & root_like) != 0 &&
        event_.namespaces_size() != 0 && !subject_.evidence.own_users &&
        !one_of(name_, capable_services))
        say(Rule::capabilities_without_root,
            "effective " + std::to_string(event_.cap_effective() & root_like));
    if (subject_.evidence.packet_socket && !one_of(name_, packet_readers))
        say(Rule::raw_socket, "packet or raw socket");
}

void Judge::names() {
    if (kernel_title(argument(event_, 0)) || begins_as(event_.name(), kernel_names))
        say(Rule::kernel_thread_name,
            kernel_title(argument(event_, 0)) ? argument(event_, 0) : event_.name());
    if (looks_random(name_))
        say(Rule::random_name, name_);
    if (one_of(name_, miners) || event_.cmdline().find("stratum+") != std::string::npos)
        say(Rule::coin_miner, event_.cmdline());
}

void Judge::containers() {
    if (event_.container_id().empty())
        return;
    if (subject_.evidence.host_mounts)
        say(Rule::container_on_host_mounts, event_.container_id());
    if (one_of(name_, container_tools))
        say(Rule::tool_in_container, name_);
}

// Programs that are known by what they are told to do.
void Judge::commands() {
    if (name_ == "chmod" && std::any_of(event_.args().begin(), event_.args().end(), sets_id_bit))
        say(Rule::setuid_bit_set, event_.cmdline());
    if (name_ == "nsenter" && (event_.cmdline() + " ").find("-t 1 ") != std::string::npos)
        say(Rule::host_namespaces_entered, event_.cmdline());
    const auto called = name_ == "kmod" ? base_name(argument(event_, 0)) : name_;
    const bool by_kernel =
        event_.ppid() == 2 || (subject_.parent != nullptr && subject_.parent->ppid() == 2);
    constexpr std::string_view loaders[] = {"systemd-udevd", "systemd-modules-load", "udevd"};
    const bool expected = by_kernel || (subject_.parent != nullptr &&
                                        begins_as(program_name(*subject_.parent), loaders));
    if ((called == "insmod" || called == "modprobe") && !expected && event_.args_size() > 1)
        say(Rule::kernel_module_load, event_.cmdline());
}

std::vector<Observation> Judge::run() {
    files();
    environment();
    shell();
    privileges();
    names();
    containers();
    commands();
    return std::move(out_);
}

}  // namespace

const RuleInfo& info_of(Rule rule) {
    return rules[static_cast<std::size_t>(rule)];
}

std::vector<Observation> judge(const Subject& subject) {
    return Judge(subject).run();
}

}  // namespace amoskys::proc
