// Reads processes below a /proc: system calls and reused buffers, decoding by decode.h and others.
// Used by the Worker on its thread and by the bench. Not thread-safe. All reads go through the open
// folder of the process, so that a pid that is given to another one meanwhile cannot mix two
// processes in one sample.
//
//   open()          folder, owner, stat: who it is, its CPU time and memory
//   read_numbers()  io, descriptors: what moves from scan to scan
//   read_details()  all else: costs ten times as much and changes rarely
#pragma once

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/result.h"
#include "modules/collectors/proc/decode.h"
#include "modules/collectors/proc/exe_hash.h"
#include "modules/collectors/proc/sockets.h"
#include "modules/collectors/proc/users.h"
#include "proto/messaging_schema.pb.h"

namespace amoskys::proc {

using Pid = std::uint32_t;

// What is read beyond stat and status.
struct FieldSet {
    bool exe = true, cmdline = true, cgroup = true, cwd = true, root = true, io = true, fds = true,
         loginuid = true, namespaces = true, sockets = true, hash = true, environment = true,
         pss = false;
};
// config error naming the nearest field where one is unknown.
Result<FieldSet> parse_fields(std::span<const std::string> names);

// What the security rules want to know and no event carries.
struct Evidence {
    std::string preload;          // "LD_PRELOAD=..." or "LD_AUDIT=..." of the environment
    std::string tunables;         // "GLIBC_TUNABLES=..."
    std::optional<Socket> stdio;  // of the internet, as input or output
    bool packet_socket = false;
    bool host_mounts = false;   // mount namespace of the host
    bool own_users = false;     // user namespace is not that of the host
    bool exe_replaced = false;  // deleted, and another file stands in its place
};

struct Sample {
    // Without kind, CPU shares and duration: those come from the tracker.
    messaging::ProcessEvent event;
    std::uint64_t cpu_ticks = 0;
    std::uint64_t uptime_ns = 0;  // since boot, when it was read
    std::uint64_t image = 0;      // Stat::image
    std::uint64_t owner = 0;      // uid and gid that own the folder: the effective ones, or root's
    char state = 0;
    bool kernel_thread = false, detailed = false;
    Evidence evidence;
    bool program() const { return !kernel_thread && state != 'Z' && state != 'X'; }
};

// The first look at a process that may end any moment: nothing is decoded.
struct Capture {
    FileDescriptor folder;
    std::string cmdline, exe;
    int cmdline_errno = 0, exe_errno = 0;
    bool late() const { return cmdline_errno != 0 || (cmdline.empty() && exe_errno != 0); }
};

enum class ReadOutcome { read, gone, denied, malformed };

struct ReaderOptions {
    FieldSet fields;
    std::filesystem::path passwd = "/etc/passwd", group = "/etc/group";
    std::uint64_t hash_budget_bytes = 64U << 20U, hash_max_bytes = 512U << 20U;
};

class ProcessReader {
  public:
    static Result<std::unique_ptr<ProcessReader>> open(const std::filesystem::path& proc_root,
                                                       const ReaderOptions& options);

    // Start of a cycle: looks at the clocks and at the passwd file.
    void begin(const Clock& clock);
    // The numeric names below the root, ascending.
    Result<std::vector<Pid>> list();
    // `out` is overwritten. Fields that could not be read are named in event.missing.
    ReadOutcome open(Pid pid, Sample& out);
    ReadOutcome read_numbers(Sample& out);
    ReadOutcome read_details(Sample& out);
    ReadOutcome read(Pid pid, Sample& out);  // all three

    // In haste: false where there is no such process any more.
    bool capture(Pid pid, Capture& out) const;
    // Goes on from there with the captured texts: open() and the details that a program is told,
    // not those it has from its parent (root, login, namespaces) or makes for itself (sockets).
    ReadOutcome read(Pid pid, Capture& capture, Sample& out);
    // Of a process that is gone by now; "cmdline:late" where it was gone then already.
    void put_captured(const Capture& capture, messaging::ProcessEvent& event);

    std::uint64_t uptime_ns();  // CLOCK_BOOTTIME; of a copied tree its file `uptime`
    std::uint64_t wall_ns(std::uint64_t uptime_ns) const { return boot_ns_ + uptime_ns; }
    std::uint64_t ticks_per_second() const { return ticks_per_second_; }
    std::uint64_t bytes_read() const { return bytes_read_; }
    std::uint64_t bytes_hashed() const { return hash_.bytes_read(); }
    const std::string& boot_id() const { return boot_id_; }
    bool is_procfs() const { return is_procfs_; }
    const Users& users() const { return users_; }

  private:
    ProcessReader(FileDescriptor root, const ReaderOptions& options);
    // The content of a file below folder, valid until the next call; errno is left in last_errno_.
    bool slurp(int folder, const char* name, std::string_view& out);
    // The process's file `name` as `parse` reads it; EBADMSG where its text is not what it should
    // be.
    template <class Content>
    std::optional<Content> content_of(const char* name,
                                      std::optional<Content> (*parse)(std::string_view text)) {
        std::string_view text;
        last_errno_ = EBADMSG;
        return slurp(folder_.get(), name, text) ? parse(text) : std::nullopt;
    }
    bool link(const char* name, std::string_view& out);
    ReadOutcome open_folder(FileDescriptor folder, Pid pid, Sample& out);
    void read_status(messaging::ProcessEvent& event);
    void read_names(messaging::ProcessEvent& event);
    void put_cmdline(std::string_view text, messaging::ProcessEvent& event);
    void put_path(std::string_view text, const char* name, std::string* out,
                  messaging::ProcessEvent& event);
    void read_exe_file(Sample& out);
    void read_cgroup(messaging::ProcessEvent& event);
    void read_io(messaging::ProcessEvent& event);
    void read_fds(messaging::ProcessEvent& event);
    void read_namespaces(Sample& out);
    void read_sockets(Sample& out);
    void read_stdin(Evidence& out);
    void read_environment(Evidence& out);
    const Socket* find_socket(std::uint64_t inode);
    std::int64_t count_entries();
    void missing(messaging::ProcessEvent& event, std::string_view field);

    FileDescriptor root_, folder_;
    FieldSet fields_;
    Users users_, groups_;
    ExeHash hash_;
    SocketTable sockets_;
    bool sockets_fresh_ = false;
    int sockets_errno_ = 0;
    bool is_procfs_ = false;        // else a copied tree
    bool size_counts_fds_ = false;  // Linux 6.2: st_size of PID/fd is the number of descriptors
    bool vanished_ = false;         // the process ended while it was read
    int last_errno_ = 0;
    std::uint64_t ticks_per_second_, page_bytes_;
    std::uint64_t boot_ns_ = 0;  // wall clock at boot
    std::string boot_id_, host_mounts_, host_users_, own_network_;
    std::uint64_t bytes_read_ = 0;
    Capture* captured_ = nullptr;  // while read(pid, capture, out) runs
    Arguments arguments_;
    std::vector<char> buffer_;
};

}  // namespace amoskys::proc
