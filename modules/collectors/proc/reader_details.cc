// The part of ProcessReader that is read at first sight, after a change, and at a slow pace.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

#include "core/base/text.h"
#include "modules/collectors/proc/cgroup.h"
#include "modules/collectors/proc/reader.h"
#include "modules/collectors/proc/status.h"

namespace amoskys::proc {
namespace {

constexpr std::size_t max_descriptors = 4096;  // looked at for sockets
constexpr std::size_t max_addresses = 64;      // listed of each kind
constexpr std::size_t evidence_bytes = 1024;
constexpr std::string_view deleted = " (deleted)";
constexpr std::uint64_t nobody_logged_in = UINT32_MAX;

std::uint64_t nanoseconds(const timespec& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.tv_nsec);
}

// N of "socket:[N]".
bool socket_inode(std::string_view link, std::uint64_t& out) {
    constexpr std::string_view begin = "socket:[";
    if (!link.starts_with(begin))
        return false;
    link.remove_prefix(begin.size());
    return std::from_chars(link.data(), link.data() + link.size(), out).ec == std::errc();
}

void list_once(std::string text, google::protobuf::RepeatedPtrField<std::string>* out) {
    for (const auto& before : *out)
        if (before == text)
            return;
    if (static_cast<std::size_t>(out->size()) < max_addresses)
        *out->Add() = std::move(text);
}

}  // namespace

ReadOutcome ProcessReader::read_details(Sample& out) {
    auto& event = out.event;
    out.detailed = true;
    out.evidence = {};
    // Of a program that has just begun, what it shares with its parent is left to the next scan.
    const bool haste = captured_ != nullptr;
    // What is lost first when the process ends comes first.
    if (captured_ != nullptr)
        put_captured(*captured_, event);
    std::string_view text;
    if (out.program()) {
        if (fields_.cmdline && captured_ == nullptr) {
            if (slurp(folder_.get(), "cmdline", text))
                put_cmdline(text, event);
            else
                missing(event, "cmdline");
        }
        if (fields_.exe) {
            if (event.exe().empty() && link("exe", text))
                put_path(text, "exe", event.mutable_exe(), event);
            if (event.exe().empty())
                missing(event, "exe");
            else
                read_exe_file(out);
        }
        if (fields_.cwd) {
            if (link("cwd", text))
                put_path(text, "cwd", event.mutable_cwd(), event);
            else
                missing(event, "cwd");
        }
        if (fields_.root && !haste) {
            if (link("root", text))
                put_path(text, "root", event.mutable_root(), event);
            else
                missing(event, "root");
        }
        if (fields_.environment)
            read_environment(out.evidence);
    }
    read_status(event);
    if (fields_.cgroup)
        read_cgroup(event);
    if (out.program()) {
        if (fields_.namespaces && !haste)
            read_namespaces(out);
        if (fields_.sockets && haste)
            read_stdin(out.evidence);
        else if (fields_.sockets)
            read_sockets(out);
    }
    std::uint64_t id = 0;
    if (fields_.loginuid && !haste) {
        if (!slurp(folder_.get(), "loginuid", text)) {
            if (last_errno_ != ENOENT)  // a kernel without audit
                missing(event, "loginuid");
        } else if (take_number(text, id) && id < nobody_logged_in) {
            event.set_loginuid(static_cast<std::uint32_t>(id));
            event.set_login_user(std::string(users_.name(event.loginuid())));
        }
    }
    if (fields_.pss && !haste && out.program()) {
        if (const auto pss = content_of("smaps_rollup", &parse_pss))
            event.set_pss_bytes(*pss);
        else
            missing(event, "pss_bytes");
    }
    return vanished_ ? ReadOutcome::gone : ReadOutcome::read;
}

void ProcessReader::read_status(messaging::ProcessEvent& event) {
    const auto status = content_of("status", &parse_status);
    if (!status) {
        missing(event, "uid");
        missing(event, "gid");
        missing(event, "euid");
        return;
    }
    event.set_uid(status->uid[Status::real]);
    event.set_euid(status->uid[Status::effective]);
    event.set_suid(status->uid[Status::saved]);
    event.set_gid(status->gid[Status::real]);
    event.set_egid(status->gid[Status::effective]);
    event.set_sgid(status->gid[Status::saved]);
    read_names(event);
    if (status->tracer_pid != 0)
        event.set_tracer_pid(status->tracer_pid);
    if (status->swap_bytes)
        event.set_swap_bytes(*status->swap_bytes);
    if (status->seccomp)
        event.set_seccomp(*status->seccomp);
    if (status->no_new_privs)
        event.set_no_new_privs(*status->no_new_privs);
    const auto& sets = status->capabilities;
    if (sets[Status::inheritable])
        event.set_cap_inheritable(*sets[Status::inheritable]);
    if (sets[Status::permitted])
        event.set_cap_permitted(*sets[Status::permitted]);
    if (sets[Status::effective_set])
        event.set_cap_effective(*sets[Status::effective_set]);
    if (sets[Status::bounding])
        event.set_cap_bounding(*sets[Status::bounding]);
    if (sets[Status::ambient])
        event.set_cap_ambient(*sets[Status::ambient]);
}

void ProcessReader::read_names(messaging::ProcessEvent& event) {
    event.set_user(std::string(users_.name(event.uid())));
    event.set_group(std::string(groups_.name(event.gid())));
    if (event.euid() != event.uid())
        event.set_effective_user(std::string(users_.name(event.euid())));
    if (event.suid() != event.uid())
        event.set_saved_user(std::string(users_.name(event.suid())));
    if (event.egid() != event.gid())
        event.set_effective_group(std::string(groups_.name(event.egid())));
    if (event.sgid() != event.gid())
        event.set_saved_group(std::string(groups_.name(event.sgid())));
}

void ProcessReader::put_cmdline(std::string_view text, messaging::ProcessEvent& event) {
    parse_cmdline(text, arguments_);
    for (auto& arg : arguments_.args)
        event.add_args(std::move(arg));
    event.set_cmdline(std::move(arguments_.joined));
    if (arguments_.truncated)
        event.add_missing("args:truncated");
}

void ProcessReader::put_path(std::string_view text, const char* name, std::string* out,
                             messaging::ProcessEvent& event) {
    if (!append_safe_text(text, max_text_bytes, *out))
        event.add_missing(std::string(name) + ":truncated");
}

// What the link "exe" leads to, whether or not its path still does.
void ProcessReader::read_exe_file(Sample& out) {
    auto& event = out.event;
    struct stat info {};
    if (::fstatat(folder_.get(), "exe", &info, 0) != 0)
        return;  // `missing` has exe already
    event.set_exe_device(info.st_dev);
    event.set_exe_inode(info.st_ino);
    event.set_exe_mtime_ns(nanoseconds(info.st_mtim));
    event.set_exe_size_bytes(static_cast<std::uint64_t>(info.st_size));
    if (event.exe().starts_with("/memfd:")) {
        event.set_exe_state("MEMFD");
    } else if (info.st_nlink == 0 && event.exe().ends_with(deleted)) {
        std::string path = "root" + event.exe();
        path.resize(path.size() - deleted.size());
        struct stat other {};
        out.evidence.exe_replaced = ::fstatat(folder_.get(), path.c_str(), &other, 0) == 0;
        event.set_exe_state(out.evidence.exe_replaced ? "REPLACED" : "DELETED");
    }
    if (!fields_.hash || !S_ISREG(info.st_mode))
        return;
    std::string why;
    auto hash = hash_.of(folder_.get(), "exe", info, why);
    if (hash.empty())
        event.add_missing("exe_sha256:" + why);
    else
        event.set_exe_sha256(std::move(hash));
}

void ProcessReader::read_cgroup(messaging::ProcessEvent& event) {
    std::string_view text;
    if (!slurp(folder_.get(), "cgroup", text)) {
        missing(event, "cgroup");
        return;
    }
    put_path(parse_cgroup(text), "cgroup", event.mutable_cgroup(), event);
    auto container = find_container(text);
    if (container.id.empty())
        return;
    append_safe_text(container.id, 256, *event.mutable_container_id());
    event.set_container_runtime(std::string(container.runtime));
    event.set_pod_uid(std::move(container.pod_uid));
}

void ProcessReader::read_namespaces(Sample& out) {
    constexpr const char* links[] = {"ns/cgroup", "ns/ipc",  "ns/mnt",  "ns/net",
                                     "ns/pid",    "ns/time", "ns/user", "ns/uts"};
    std::string_view text;
    for (const char* const name : links) {
        if (!link(name, text)) {
            if (last_errno_ == ENOENT)  // a kernel without this kind
                continue;
            missing(out.event, "namespaces");
            return;
        }
        append_safe_text(text, 64, *out.event.add_namespaces());
        if (text == host_mounts_)
            out.evidence.host_mounts = true;
        if (text.starts_with("user:") && text != host_users_)
            out.evidence.own_users = true;
    }
}

// At most one dump a scan or exec: a socket that is in no list is a local one or of another
// network namespace.
const Socket* ProcessReader::find_socket(std::uint64_t inode) {
    if (const auto* const known = sockets_.find(inode))
        return known;
    if (sockets_fresh_)
        return nullptr;
    sockets_fresh_ = true;
    sockets_errno_ = sockets_.refresh() ? 0 : EPERM;
    std::string_view text;
    if (slurp(root_.get(), "self/net/packet", text))
        parse_packet_sockets(text, sockets_.all());
    return sockets_.find(inode);
}

void ProcessReader::read_sockets(Sample& out) {
    auto& event = out.event;
    const FileDescriptor fds(::openat(folder_.get(), "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fds) {
        last_errno_ = errno;
        missing(event, "sockets");
        return;
    }
    DIR* const folder = ::fdopendir(::dup(fds.get()));
    if (folder == nullptr) {
        last_errno_ = errno;
        missing(event, "sockets");
        return;
    }
    std::uint32_t count = 0;
    std::size_t looked_at = 0, elsewhere = 0;
    while (const dirent* const entry = ::readdir(folder)) {
        char target[64];
        const ssize_t length = ::readlinkat(fds.get(), entry->d_name, target, sizeof target);
        std::uint64_t inode = 0;
        if (++looked_at > max_descriptors)
            break;
        if (length <= 0 || !socket_inode({target, static_cast<std::size_t>(length)}, inode))
            continue;
        ++count;
        const auto* const socket = find_socket(inode);
        if (socket == nullptr) {
            ++elsewhere;
            continue;
        }
        const std::string_view number = entry->d_name;
        if (socket->kind == Socket::Kind::packet || socket->kind == Socket::Kind::raw)
            out.evidence.packet_socket = true;
        if (socket->kind == Socket::Kind::packet)
            continue;
        if ((number == "0" || number == "1") && socket->has_peer())
            out.evidence.stdio = *socket;
        if (socket->has_peer())
            list_once(socket->remote_text(), event.mutable_peers());
        else if (socket->listening())
            list_once(socket->local_text(), event.mutable_listening());
    }
    ::closedir(folder);
    event.set_sockets(count);
    if (looked_at > max_descriptors)
        event.add_missing("sockets:truncated");
    if (elsewhere == 0)
        return;
    std::string_view text;
    if (sockets_errno_ != 0)
        event.add_missing("peers:" + errno_name(sockets_errno_));
    else if (link("ns/net", text) && text != own_network_)
        event.add_missing("peers:other_namespace");
}

void ProcessReader::read_stdin(Evidence& out) {
    std::string_view text;
    std::uint64_t inode = 0;
    if (!link("fd/0", text) || !socket_inode(text, inode))
        return;
    if (const auto* const socket = find_socket(inode); socket != nullptr && socket->has_peer())
        out.stdio = *socket;
}

void ProcessReader::read_environment(Evidence& out) {
    std::string_view text;
    if (!slurp(folder_.get(), "environ", text))
        return;
    while (!text.empty()) {
        const auto end = text.find('\0');
        const auto variable = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        auto* const into = variable.starts_with("LD_PRELOAD=") || variable.starts_with("LD_AUDIT=")
                               ? &out.preload
                           : variable.starts_with("GLIBC_TUNABLES=") ? &out.tunables
                                                                     : nullptr;
        if (into != nullptr && into->empty() && !variable.ends_with('='))
            append_safe_text(variable, evidence_bytes, *into);
    }
}

bool ProcessReader::capture(Pid pid, Capture& out) const {
    char name[32] = {};
    const auto end = std::to_chars(name, name + 16, pid);
    *end.ptr = '\0';
    out.folder = FileDescriptor(::openat(root_.get(), name, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!out.folder)
        return false;
    std::array<char, 4096> piece;
    out.cmdline.clear();
    out.exe.clear();
    const FileDescriptor file(::openat(out.folder.get(), "cmdline", O_RDONLY | O_CLOEXEC));
    ssize_t got = file ? 1 : -1;
    while (got > 0 && out.cmdline.size() <= max_args_bytes) {
        got = ::read(file.get(), piece.data(), piece.size());
        if (got > 0)
            out.cmdline.append(piece.data(), static_cast<std::size_t>(got));
        if (got < static_cast<ssize_t>(piece.size()))
            break;
    }
    out.cmdline_errno = got < 0 ? errno : 0;
    got = ::readlinkat(out.folder.get(), "exe", piece.data(), piece.size());
    out.exe_errno = got < 0 ? errno : 0;
    if (got > 0)
        out.exe.assign(piece.data(), static_cast<std::size_t>(got));
    return true;
}

// Without a memory of its own any more the process has an empty command line and no program.
void ProcessReader::put_captured(const Capture& capture, messaging::ProcessEvent& event) {
    if (capture.late()) {
        event.add_missing("cmdline:late");
        return;
    }
    if (fields_.cmdline)
        put_cmdline(capture.cmdline, event);
    if (fields_.exe && capture.exe_errno == 0)
        put_path(capture.exe, "exe", event.mutable_exe(), event);
}

ReadOutcome ProcessReader::read(Pid pid, Capture& capture, Sample& out) {
    const auto outcome = open_folder(std::move(capture.folder), pid, out);
    if (outcome != ReadOutcome::read)
        return outcome;
    captured_ = &capture;
    sockets_fresh_ = false;
    read_details(out);
    captured_ = nullptr;
    return ReadOutcome::read;
}

}  // namespace amoskys::proc
