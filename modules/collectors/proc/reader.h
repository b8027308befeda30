// Reads processes below a /proc: system calls and reused buffers, decoding by decode.h. Used by
// ProcCollector on its thread and by the bench. Not thread-safe. One process costs openat of its
// folder and six reads; all reads go through the open folder, so that a pid that is given to
// another process meanwhile cannot mix two processes in one sample.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/result.h"
#include "modules/collectors/proc/decode.h"
#include "modules/collectors/proc/users.h"
#include "proto/messaging_schema.pb.h"

namespace amoskys::proc {

using Pid = std::uint32_t;

// What is read beyond stat and status.
struct FieldSet {
    bool exe = true, cmdline = true, cgroup = true, cwd = true, io = true, fds = true;
};
inline constexpr std::string_view all_fields[] = {"exe", "cmdline", "cgroup", "cwd", "io", "fds"};
// config error naming the nearest field where one is unknown.
Result<FieldSet> parse_fields(std::span<const std::string> names);

struct Sample {
    messaging::ProcessEvent
        event;  // without kind, cpu_percent and duration: those come from the tracker
    std::uint64_t cpu_ticks = 0;
    std::uint64_t uptime_ns = 0;  // since boot, when it was read
};

enum class ReadOutcome { read, gone, denied, malformed };

class ProcessReader {
  public:
    static Result<std::unique_ptr<ProcessReader>> open(const std::filesystem::path& proc_root,
                                                       const FieldSet& fields,
                                                       const std::filesystem::path& passwd);

    // Start of a cycle: looks at the clocks and at the passwd file.
    void begin(const Clock& clock);
    // The numeric names below the root, ascending.
    Result<std::vector<Pid>> list();
    // `out` is overwritten. Fields that could not be read are named in event.missing.
    ReadOutcome read(Pid pid, Sample& out);
    // Only identity and CPU time: event has pid and start_ticks.
    ReadOutcome read_ticks(Pid pid, Sample& out);

    std::uint64_t uptime_ns();  // CLOCK_BOOTTIME; of a copied tree its file `uptime`
    std::uint64_t ticks_per_second() const { return ticks_per_second_; }
    std::uint64_t bytes_read() const { return bytes_read_; }

  private:
    ProcessReader(FileDescriptor root, const FieldSet& fields, const std::filesystem::path& passwd);
    // The content of a file below folder, valid until the next call; errno is left in last_errno_.
    bool slurp(int folder, const char* name, std::string_view& out);
    ReadOutcome open_process(Pid pid, FileDescriptor& folder, Stat& stat);
    void read_status(int folder, messaging::ProcessEvent& event);
    void read_commands(int folder, const Stat& stat, messaging::ProcessEvent& event);
    void read_link(int folder, const char* name, std::string* out, messaging::ProcessEvent& event);
    void read_cgroup(int folder, messaging::ProcessEvent& event);
    void read_io(int folder, messaging::ProcessEvent& event);
    void read_fds(int folder, messaging::ProcessEvent& event);
    std::int64_t count_entries(int folder);
    void missing(messaging::ProcessEvent& event, std::string_view field);

    FileDescriptor root_;
    FieldSet fields_;
    Users users_;
    bool is_procfs_ = false;        // else a copied tree
    bool size_counts_fds_ = false;  // Linux 6.2: st_size of PID/fd is the number of descriptors
    bool vanished_ = false;         // the process ended while it was read
    int last_errno_ = 0;
    std::uint64_t ticks_per_second_, page_bytes_;
    std::uint64_t boot_ns_ = 0;  // wall clock at boot
    std::string boot_id_;
    std::uint64_t bytes_read_ = 0;
    Arguments arguments_;
    std::vector<char> buffer_;
};

}  // namespace amoskys::proc
