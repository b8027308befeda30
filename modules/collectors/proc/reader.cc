#include "modules/collectors/proc/reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "core/base/text.h"
#include "modules/collectors/proc/status.h"

namespace amoskys::proc {
namespace {

constexpr std::size_t buffer_bytes = 64 * 1024;
constexpr std::uint64_t ns_per_second = 1'000'000'000;
// Beyond this the wall clock was set rather than slewed, and start times move with it.
constexpr std::uint64_t boot_time_tolerance_ns = 100'000'000;

// struct linux_dirent64 of getdents64(2), up to the name.
constexpr std::size_t dirent_reclen_offset = 16, dirent_name_offset = 19;

ReadOutcome outcome_of(int error) {
    if (error == ENOENT || error == ESRCH)
        return ReadOutcome::gone;
    return ReadOutcome::denied;
}

}  // namespace

Result<FieldSet> parse_fields(std::span<const std::string> names) {
    FieldSet set{false, false, false, false, false, false, false,
                 false, false, false, false, false, false};
    struct Name {
        std::string_view name;
        bool FieldSet::*member;
    };
    constexpr Name all[] = {{"exe", &FieldSet::exe},
                            {"cmdline", &FieldSet::cmdline},
                            {"cgroup", &FieldSet::cgroup},
                            {"cwd", &FieldSet::cwd},
                            {"root", &FieldSet::root},
                            {"io", &FieldSet::io},
                            {"fds", &FieldSet::fds},
                            {"loginuid", &FieldSet::loginuid},
                            {"namespaces", &FieldSet::namespaces},
                            {"sockets", &FieldSet::sockets},
                            {"hash", &FieldSet::hash},
                            {"environ", &FieldSet::environment},
                            {"pss", &FieldSet::pss}};
    for (const auto& name : names) {
        const auto* const found = std::find_if(std::begin(all), std::end(all),
                                               [&](const Name& n) { return n.name == name; });
        if (found == std::end(all)) {
            std::vector<std::string_view> known;
            std::string allowed;
            for (const auto& n : all) {
                known.push_back(n.name);
                allowed += (allowed.empty() ? "" : ", ") + std::string(n.name);
            }
            const auto near = nearest(name, known);
            return make_error(ErrorKind::config, "config_unknown_value",
                              "agent.proc.read_fields: no field \"" + printable(name) +
                                  "\"; allowed are " + allowed,
                              near.empty() ? "" : "did you mean " + std::string(near) + "?");
        }
        set.*found->member = true;
    }
    return set;
}

ProcessReader::ProcessReader(FileDescriptor root, const ReaderOptions& options)
    : root_(std::move(root)),
      fields_(options.fields),
      users_(options.passwd),
      groups_(options.group),
      hash_(options.hash_budget_bytes, options.hash_max_bytes),
      ticks_per_second_(static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK))),
      page_bytes_(static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))),
      buffer_(buffer_bytes) {}

Result<std::unique_ptr<ProcessReader>> ProcessReader::open(const std::filesystem::path& proc_root,
                                                           const ReaderOptions& options) {
    FileDescriptor root(::open(proc_root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root)
        return errno_error("proc_root", "cannot open " + proc_root.string(), errno);
    std::unique_ptr<ProcessReader> reader(new ProcessReader(std::move(root), options));
    struct statfs filesystem {};
    reader->is_procfs_ =
        ::fstatfs(reader->root_.get(), &filesystem) == 0 && filesystem.f_type == PROC_SUPER_MAGIC;
    struct stat own {};
    reader->size_counts_fds_ = reader->is_procfs_ &&
                               ::fstatat(reader->root_.get(), "self/fd", &own, 0) == 0 &&
                               own.st_size > 0;
    std::string_view text;
    if (reader->slurp(reader->root_.get(), "sys/kernel/random/boot_id", text))
        append_safe_text(trim(text), 64, reader->boot_id_);
    // The host's namespaces: of process 1, which some hosts hide, else of the first kernel thread.
    for (const char* const name : {"1", "2", "self"}) {
        reader->folder_ =
            FileDescriptor(::openat(reader->root_.get(), name, O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!reader->folder_)
            continue;
        if (reader->host_mounts_.empty() && reader->link("ns/mnt", text))
            reader->host_mounts_ = text;
        if (reader->host_users_.empty() && reader->link("ns/user", text))
            reader->host_users_ = text;
        if (reader->link("ns/net", text))
            reader->own_network_ = text;  // the last one is its own
    }
    return reader;
}

std::uint64_t ProcessReader::uptime_ns() {
    if (is_procfs_) {
        timespec now{};
        ::clock_gettime(CLOCK_BOOTTIME, &now);
        return static_cast<std::uint64_t>(now.tv_sec) * ns_per_second +
               static_cast<std::uint64_t>(now.tv_nsec);
    }
    std::string_view text;
    double seconds = 0;
    if (!slurp(root_.get(), "uptime", text) ||
        std::from_chars(text.data(), text.data() + text.size(), seconds).ec != std::errc() ||
        !(seconds >= 0 && seconds < 1e9))
        return 0;
    return static_cast<std::uint64_t>(seconds * 1e9);
}

void ProcessReader::begin(const Clock& clock) {
    users_.refresh();
    groups_.refresh();
    hash_.begin();
    sockets_fresh_ = false;
    const std::uint64_t now = clock.now_ns(), uptime = uptime_ns();
    const std::uint64_t boot = now > uptime ? now - uptime : 0;
    const std::uint64_t moved = boot > boot_ns_ ? boot - boot_ns_ : boot_ns_ - boot;
    if (moved > boot_time_tolerance_ns)
        boot_ns_ = boot;
}

Result<std::vector<Pid>> ProcessReader::list() {
    std::vector<Pid> pids;
    FileDescriptor folder(::openat(root_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder)
        return errno_error("proc_root", "cannot list the processes", errno);
    while (true) {
        const long got = ::syscall(SYS_getdents64, folder.get(), buffer_.data(), buffer_.size());
        if (got < 0)
            return errno_error("proc_root", "cannot list the processes", errno);
        if (got == 0)
            break;
        for (long at = 0; at < got;) {
            std::uint16_t length = 0;
            std::memcpy(&length, buffer_.data() + at + dirent_reclen_offset, sizeof length);
            const char* const name = buffer_.data() + at + dirent_name_offset;
            const char* const end = name + std::strlen(name);
            Pid pid = 0;
            if (const auto parsed = std::from_chars(name, end, pid);
                parsed.ec == std::errc() && parsed.ptr == end)
                pids.push_back(pid);
            at += length;
        }
    }
    std::sort(pids.begin(), pids.end());
    return pids;
}

bool ProcessReader::slurp(int folder, const char* name, std::string_view& out) {
    const FileDescriptor file(::openat(folder, name, O_RDONLY | O_CLOEXEC));
    if (!file) {
        last_errno_ = errno;
        return false;
    }
    // The kernel hands such a file over in one piece where the buffer has room, except that long
    // ones may come page by page.
    constexpr std::size_t page_by_page_bytes = 3072;
    std::size_t filled = 0;
    while (filled < buffer_.size()) {
        const ssize_t got = ::read(file.get(), buffer_.data() + filled, buffer_.size() - filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            last_errno_ = errno;
            return false;
        }
        filled += static_cast<std::size_t>(got);
        if (got == 0 || filled < page_by_page_bytes)
            break;
    }
    bytes_read_ += filled;
    out = {buffer_.data(), filled};
    return true;
}

bool ProcessReader::link(const char* name, std::string_view& out) {
    const ssize_t length = ::readlinkat(folder_.get(), name, buffer_.data(), buffer_.size());
    if (length < 0) {
        last_errno_ = errno;
        return false;
    }
    out = {buffer_.data(), static_cast<std::size_t>(length)};
    return true;
}

void ProcessReader::missing(messaging::ProcessEvent& event, std::string_view field) {
    if (last_errno_ == ESRCH)
        vanished_ = true;
    event.add_missing(std::string(field) + ":" + errno_name(last_errno_));
}

ReadOutcome ProcessReader::open(Pid pid, Sample& out) {
    char name[16] = {};
    std::to_chars(name, name + sizeof name - 1, pid);
    FileDescriptor folder(::openat(root_.get(), name, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder)
        return outcome_of(errno);
    return open_folder(std::move(folder), pid, out);
}

ReadOutcome ProcessReader::open_folder(FileDescriptor folder, Pid pid, Sample& out) {
    folder_ = std::move(folder);
    out.uptime_ns = uptime_ns();
    struct stat owner {};
    std::string_view text;
    if (::fstat(folder_.get(), &owner) != 0)
        return outcome_of(errno);
    if (!slurp(folder_.get(), "stat", text))
        return outcome_of(last_errno_);
    const auto stat = parse_stat(text);
    if (!stat || stat->pid != pid)
        return ReadOutcome::malformed;
    vanished_ = false;
    out.owner = (static_cast<std::uint64_t>(owner.st_uid) << 32U) | owner.st_gid;
    out.cpu_ticks = stat->cpu_ticks;
    out.image = stat->image;
    out.state = stat->state;
    out.kernel_thread = stat->kernel_thread();
    out.detailed = false;
    auto& event = out.event;
    event.Clear();
    event.set_pid(pid);
    event.set_ppid(stat->ppid);
    append_safe_text(stat->name, 64, *event.mutable_name());  // before the buffer is used again
    append_safe_text({&stat->state, 1}, 4, *event.mutable_state());
    event.set_pgid(stat->pgid);
    event.set_sid(stat->sid);
    if (stat->tty != 0)
        event.set_tty(tty_name(stat->tty));
    event.set_nice(stat->nice);
    event.set_threads(stat->threads);
    event.set_vms_bytes(stat->vms_bytes);
    event.set_rss_bytes(stat->rss_pages * page_bytes_);
    event.set_cpu_seconds(static_cast<double>(stat->cpu_ticks) /
                          static_cast<double>(ticks_per_second_));
    event.set_start_ticks(stat->start_ticks);
    event.set_start_ts_ns(boot_ns_ + stat->start_ticks * (ns_per_second / ticks_per_second_));
    event.set_boot_id(boot_id_);
    event.set_event_time_ns(boot_ns_ + out.uptime_ns);
    return ReadOutcome::read;
}

ReadOutcome ProcessReader::read_numbers(Sample& out) {
    if (fields_.io)
        read_io(out.event);
    if (fields_.fds && out.program())
        read_fds(out.event);
    return vanished_ ? ReadOutcome::gone : ReadOutcome::read;
}

ReadOutcome ProcessReader::read(Pid pid, Sample& out) {
    if (const auto outcome = open(pid, out); outcome != ReadOutcome::read)
        return outcome;
    read_details(out);
    return read_numbers(out);
}

void ProcessReader::read_io(messaging::ProcessEvent& event) {
    const auto io = content_of("io", &parse_io);
    if (!io) {
        missing(event, "io_read_bytes");
        missing(event, "io_write_bytes");
        return;
    }
    event.set_io_read_bytes(io->read_bytes);
    event.set_io_write_bytes(io->write_bytes);
}

void ProcessReader::read_fds(messaging::ProcessEvent& event) {
    struct stat info {};
    if (size_counts_fds_ && ::fstatat(folder_.get(), "fd", &info, 0) == 0) {
        event.set_fds(static_cast<std::uint32_t>(info.st_size));
        return;
    }
    const std::int64_t count = count_entries();
    if (count < 0)
        missing(event, "fds");
    else
        event.set_fds(static_cast<std::uint32_t>(count));
}

// Entries of "fd" without "." and ".."; -1 with last_errno_.
std::int64_t ProcessReader::count_entries() {
    const FileDescriptor fds(::openat(folder_.get(), "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    std::int64_t count = 0;
    while (fds) {
        const long got = ::syscall(SYS_getdents64, fds.get(), buffer_.data(), buffer_.size());
        if (got == 0)
            return count - 2;
        if (got < 0)
            break;
        for (long at = 0; at < got; ++count) {
            std::uint16_t length = 0;
            std::memcpy(&length, buffer_.data() + at + dirent_reclen_offset, sizeof length);
            at += length;
        }
    }
    last_errno_ = errno;
    return -1;
}

}  // namespace amoskys::proc
