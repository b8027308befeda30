// Decoders of /proc/PID/status, io and smaps_rollup: bytes in, plain structs out; no files.
// Formats: proc(5). A line that is not there (older kernels) leaves its field empty.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace amoskys::proc {

// The part of status that stat does not have.
struct Status {
    enum Id { real, effective, saved, file_system };
    enum Set { inheritable, permitted, effective_set, bounding, ambient };
    std::array<std::uint32_t, 4> uid{}, gid{};
    std::uint32_t tracer_pid = 0;
    std::optional<std::uint64_t> swap_bytes;  // empty for kernel threads
    std::array<std::optional<std::uint64_t>, 5> capabilities;
    std::optional<std::uint32_t> seccomp;
    std::optional<bool> no_new_privs;
};
// Nothing where the ids are not there.
std::optional<Status> parse_status(std::string_view text);

// /proc/PID/io: bytes that really went from and to storage.
struct Io {
    std::uint64_t read_bytes = 0, write_bytes = 0;
};
std::optional<Io> parse_io(std::string_view text);

// Pss of /proc/PID/smaps_rollup, in bytes.
std::optional<std::uint64_t> parse_pss(std::string_view text);

}  // namespace amoskys::proc
