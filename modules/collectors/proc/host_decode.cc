#include "modules/collectors/proc/host_decode.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/base/text.h"
#include "modules/collectors/proc/decode.h"

namespace amoskys::proc {
namespace {

std::string_view take_word(std::string_view& text) {
    const auto begin = std::min(text.find_first_not_of(" \t"), text.size());
    text.remove_prefix(begin);
    const auto word = text.substr(0, text.find_first_of(" \t"));
    text.remove_prefix(word.size());
    return word;
}

bool take_double(std::string_view& text, double& out) {
    const auto word = take_word(text);
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
    return error == std::errc() && end == word.data() + word.size() && std::isfinite(out) &&
           out >= 0;
}

// getmntent(3): space, tab, newline and backslash stand as \040 and the like.
std::string unescape(std::string_view text) {
    const auto octal = [](char c) { return c >= '0' && c <= '7'; };
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size() && octal(text[i + 1]) && octal(text[i + 2]) &&
            octal(text[i + 3])) {
            out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                     (text[i + 3] - '0'));
            i += 3;
        } else {
            out += text[i];
        }
    }
    return out;
}

}  // namespace

std::uint64_t CpuTimes::total() const {
    std::uint64_t sum = 0;
    for (const auto& t : ticks)
        sum += t.value_or(0);
    return sum;
}

std::uint64_t CpuTimes::idle() const {
    return ticks[3].value_or(0) + ticks[4].value_or(0);
}

CpuTable parse_cpu(std::string_view text) {
    CpuTable table;
    while (text.starts_with("cpu")) {
        auto line = take_line(text);
        line.remove_prefix(3);
        std::uint64_t number = 0;
        const bool is_sum = line.starts_with(" ");
        if (!is_sum && !take_number(line, number))
            break;
        CpuTimes times;
        for (auto& t : times.ticks) {
            std::uint64_t value = 0;
            if (!take_number(line, value))
                break;
            t = value;
        }
        if (is_sum)
            table.all = times;
        else if (number <= UINT32_MAX)
            table.cpus.emplace_back(static_cast<unsigned>(number), times);
    }
    return table;
}

Memory parse_meminfo(std::string_view text) {
    Memory memory;
    const std::pair<std::string_view, std::optional<std::uint64_t>*> wanted[] = {
        {"MemTotal:", &memory.total},         {"MemFree:", &memory.free},
        {"MemAvailable:", &memory.available}, {"Buffers:", &memory.buffers},
        {"Cached:", &memory.cached},          {"Shmem:", &memory.shared},
        {"SwapTotal:", &memory.swap_total},   {"SwapFree:", &memory.swap_free}};
    while (!text.empty()) {
        auto line = take_line(text);
        const auto key = take_word(line);
        for (const auto& [name, out] : wanted) {
            std::uint64_t value = 0;
            if (key == name && take_number(line, value))
                *out = value;
        }
    }
    return memory;
}

std::optional<std::array<double, 3>> parse_loadavg(std::string_view text) {
    std::array<double, 3> load{};
    for (auto& value : load)
        if (!take_double(text, value))
            return std::nullopt;
    return load;
}

std::optional<double> parse_uptime(std::string_view text) {
    double seconds = 0;
    if (!take_double(text, seconds))
        return std::nullopt;
    return seconds;
}

std::vector<Disk> parse_diskstats(std::string_view text) {
    std::vector<Disk> disks;
    for (unsigned row = 1; !text.empty(); ++row) {
        auto line = take_line(text);
        std::uint64_t skipped = 0;
        Disk disk;
        disk.row = row;
        if (!take_number(line, skipped) || !take_number(line, skipped))
            continue;
        disk.name = take_word(line);
        // reads, merged, sectors, ms, writes, merged, sectors
        if (!take_number(line, disk.reads) || !take_number(line, skipped) ||
            !take_number(line, disk.read_sectors) || !take_number(line, skipped) ||
            !take_number(line, disk.writes) || !take_number(line, skipped) ||
            !take_number(line, disk.written_sectors))
            continue;
        const bool idle = disk.reads == 0 && disk.writes == 0;
        if (!(idle && (disk.name.starts_with("loop") || disk.name.starts_with("ram"))))
            disks.push_back(disk);
    }
    return disks;
}

std::vector<InterfaceCounters> parse_net_dev(std::string_view text) {
    std::vector<InterfaceCounters> interfaces;
    while (!text.empty()) {
        auto line = take_line(text);
        const auto colon = line.rfind(':');  // alias interfaces have one in their name
        if (colon == std::string_view::npos)
            continue;
        InterfaceCounters counters;
        counters.name = trim(line.substr(0, colon));
        line.remove_prefix(colon + 1);
        std::uint64_t values[16] = {};
        bool whole = !counters.name.empty();
        for (auto& value : values)
            whole = whole && take_number(line, value);
        if (!whole)
            continue;
        counters.in_bytes = values[0], counters.in_packets = values[1];
        counters.in_errors = values[2], counters.in_dropped = values[3],
        counters.in_multicast = values[7];
        counters.out_bytes = values[8], counters.out_packets = values[9];
        counters.out_errors = values[10], counters.out_dropped = values[11];
        interfaces.push_back(counters);
    }
    return interfaces;
}

std::optional<std::uint64_t> parse_net_snmp(std::string_view text, std::string_view protocol,
                                            std::string_view name) {
    while (!text.empty()) {
        auto names = take_line(text);
        if (take_word(names) != std::string(protocol) + ":")
            continue;
        auto values = take_line(text);
        take_word(values);
        while (true) {
            const auto key = take_word(names);
            auto value = take_word(values);
            if (key.empty() || value.empty())
                return std::nullopt;
            std::uint64_t number = 0;
            if (key == name)
                return take_number(value, number) && value.empty() ? std::optional(number)
                                                                   : std::nullopt;
        }
    }
    return std::nullopt;
}

std::vector<Mount> parse_mounts(std::string_view text) {
    std::vector<Mount> mounts;
    while (!text.empty()) {
        auto line = take_line(text);
        Mount mount;
        mount.device = unescape(take_word(line));
        mount.folder = unescape(take_word(line));
        mount.type = take_word(line);
        const bool seen = std::any_of(mounts.begin(), mounts.end(), [&mount](const Mount& other) {
            return other.device == mount.device;
        });
        if (mount.device.starts_with("/dev/") && !mount.type.empty() && mount.type != "squashfs" &&
            mount.type != "iso9660" && !seen)
            mounts.push_back(std::move(mount));
    }
    return mounts;
}

unsigned interface_type(unsigned arphrd) {
    switch (arphrd) {
        case 1:
            return 6;  // ARPHRD_ETHER: ethernetCsmacd
        case 512:
            return 23;  // ARPHRD_PPP
        case 772:
            return 24;  // ARPHRD_LOOPBACK
        case 768:       // ARPHRD_TUNNEL
        case 769:       // ARPHRD_TUNNEL6
        case 776:       // ARPHRD_SIT
        case 778:       // ARPHRD_IPGRE
        case 823:       // ARPHRD_IP6GRE
            return 131;
        case 801:
        case 802:
        case 803:
            return 71;  // ARPHRD_IEEE80211*
        default:
            return 1;
    }
}

std::optional<unsigned> interface_status(std::string_view operstate) {
    constexpr std::string_view names[] = {"up",      "down",       "testing",       "unknown",
                                          "dormant", "notpresent", "lowerlayerdown"};
    const auto found = std::find(std::begin(names), std::end(names), operstate);
    if (found == std::end(names))
        return std::nullopt;
    return static_cast<unsigned>(found - std::begin(names)) + 1;
}

}  // namespace amoskys::proc
