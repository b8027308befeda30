// Decoders of the texts below /proc/PID: bytes in, plain structs out; no files, no clock. Used by
// ProcessReader and by the tests and fuzz targets. Formats: proc(5). All text comes from processes
// and is not trusted: the structs hold views of the input as it is, safe_text() makes it fit for a
// protobuf string.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace amoskys::proc {

// Bounds of what one process may put into an event, in bytes after safe_text().
inline constexpr std::size_t max_text_bytes = 4096;       // exe, cwd, cgroup
inline constexpr std::size_t max_args_bytes = 32 * 1024;  // all arguments together
inline constexpr std::size_t max_args = 256;

// /proc/PID/stat. comm may hold spaces, parentheses and newlines: it ends at the last ')'.
struct Stat {
    std::string_view name;  // comm
    char state = 0;
    std::uint32_t pid = 0, ppid = 0, pgid = 0, sid = 0;
    std::uint32_t tty = 0;        // device number as in stat
    std::uint32_t flags = 0;      // PF_*
    std::uint64_t cpu_ticks = 0;  // utime + stime
    std::int32_t nice = 0;
    std::uint32_t threads = 0;
    std::uint64_t start_ticks = 0;
    std::uint64_t vms_bytes = 0;
    std::uint64_t rss_pages = 0;
    // Changes with every exec: where stack and arguments lie. 0 of a process that may not be
    // traced.
    std::uint64_t image = 0;
    bool kernel_thread() const { return (flags & 0x00200000U) != 0; }  // PF_KTHREAD
};
std::optional<Stat> parse_stat(std::string_view text);

// "pts/0", "tty1", "ttyS0", "console", else "major:minor"; "" for 0 (no terminal).
std::string tty_name(std::uint32_t device);

// Appends text as valid UTF-8 without control characters (core/base printable), never more than
// max_bytes of it. Returns false where it had to be cut.
bool append_safe_text(std::string_view text, std::size_t max_bytes, std::string& out);

// NUL-separated /proc/PID/cmdline. Programs that overwrite their arguments leave one text without
// the final NUL.
struct Arguments {
    std::vector<std::string> args;
    std::string joined;  // with single spaces
    bool truncated = false;
};
void parse_cmdline(std::string_view text, Arguments& out);

// The text up to the end of the line, without it; moves text behind it.
std::string_view take_line(std::string_view& text);
// The start of a decimal number; moves text behind it. False where there is none or it passes 64
// bits.
bool take_number(std::string_view& text, std::uint64_t& out);

}  // namespace amoskys::proc
