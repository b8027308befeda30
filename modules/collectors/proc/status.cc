#include "modules/collectors/proc/status.h"

#include <charconv>

#include "core/base/text.h"
#include "modules/collectors/proc/decode.h"

namespace amoskys::proc {
namespace {

// The text behind "KEY:" where the line begins so.
bool value_of(std::string_view line, std::string_view key, std::string_view& value) {
    if (line.size() <= key.size() || !line.starts_with(key) || line[key.size()] != ':')
        return false;
    value = trim(line.substr(key.size() + 1));
    return true;
}

bool ids(std::string_view value, std::array<std::uint32_t, 4>& out) {
    for (auto& id : out) {
        std::uint64_t number = 0;
        if (!take_number(value, number) || number > UINT32_MAX)
            return false;
        id = static_cast<std::uint32_t>(number);
    }
    return true;
}

std::optional<std::uint64_t> number(std::string_view value, int base = 10) {
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out, base);
    if (error != std::errc() || end == value.data())
        return std::nullopt;
    return out;
}

std::optional<std::uint64_t> kibibytes(std::string_view value) {
    const auto out = number(value);
    return out && *out < (1ULL << 53U) ? std::optional(*out * 1024) : std::nullopt;
}

constexpr std::string_view sets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};

}  // namespace

std::optional<Status> parse_status(std::string_view text) {
    Status status;
    bool uid_seen = false, gid_seen = false;
    while (!text.empty()) {
        const auto line = take_line(text);
        std::string_view value;
        if (value_of(line, "Uid", value))
            uid_seen = ids(value, status.uid);
        else if (value_of(line, "Gid", value))
            gid_seen = ids(value, status.gid);
        else if (value_of(line, "TracerPid", value))
            status.tracer_pid = static_cast<std::uint32_t>(number(value).value_or(0));
        else if (value_of(line, "VmSwap", value))
            status.swap_bytes = kibibytes(value);
        else if (value_of(line, "NoNewPrivs", value))
            status.no_new_privs = value == "1";
        else if (value_of(line, "Seccomp", value))
            status.seccomp = static_cast<std::uint32_t>(number(value).value_or(0));
        else if (line.starts_with("Cap"))
            for (std::size_t i = 0; i < std::size(sets); ++i)
                if (value_of(line, sets[i], value))
                    status.capabilities[i] = number(value, 16);
    }
    if (!uid_seen || !gid_seen)
        return std::nullopt;
    return status;
}

std::optional<Io> parse_io(std::string_view text) {
    Io io;
    bool read_seen = false, write_seen = false;
    while (!text.empty()) {
        auto line = take_line(text);
        std::string_view value;
        if (value_of(line, "read_bytes", value))
            read_seen = take_number(value, io.read_bytes);
        else if (value_of(line, "write_bytes", value))
            write_seen = take_number(value, io.write_bytes);
    }
    if (!read_seen || !write_seen)
        return std::nullopt;
    return io;
}

std::optional<std::uint64_t> parse_pss(std::string_view text) {
    while (!text.empty()) {
        std::string_view value;
        if (value_of(take_line(text), "Pss", value))
            return kibibytes(value);
    }
    return std::nullopt;
}

}  // namespace amoskys::proc
