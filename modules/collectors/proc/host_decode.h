// Decoders of the host-wide texts of /proc (proc(5), kernel Documentation/admin-guide/iostats.rst):
// bytes in, plain structs out. What a text does not hold stays empty, never 0. Used by HostReader,
// tests and fuzz targets.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace amoskys::proc {

// One cpu line of /proc/stat: ticks since boot. Columns that an old kernel lacks are empty.
struct CpuTimes {
    // user nice system idle iowait irq softirq steal
    std::array<std::optional<std::uint64_t>, 8> ticks;
    std::uint64_t total() const;
    std::uint64_t idle() const;  // idle and iowait
};
struct CpuTable {
    CpuTimes all;
    std::vector<std::pair<unsigned, CpuTimes>> cpus;  // by kernel number
};
CpuTable parse_cpu(std::string_view text);

// Values of /proc/meminfo in KiB.
struct Memory {
    std::optional<std::uint64_t> total, free, available, buffers, cached, shared, swap_total,
        swap_free;
};
Memory parse_meminfo(std::string_view text);

std::optional<std::array<double, 3>> parse_loadavg(std::string_view text);
std::optional<double> parse_uptime(std::string_view text);  // seconds

struct Disk {
    unsigned row = 0;  // line number from 1: the index of the device in UCD-DISKIO-MIB
    std::string_view name;
    std::uint64_t reads = 0, read_sectors = 0, writes = 0,
                  written_sectors = 0;  // sectors of 512 bytes
};
// Without idle loop and ram devices.
std::vector<Disk> parse_diskstats(std::string_view text);

struct InterfaceCounters {
    std::string_view name;
    std::uint64_t in_bytes = 0, in_packets = 0, in_errors = 0, in_dropped = 0, in_multicast = 0;
    std::uint64_t out_bytes = 0, out_packets = 0, out_errors = 0, out_dropped = 0;
};
std::vector<InterfaceCounters> parse_net_dev(std::string_view text);

// A counter of /proc/net/snmp by protocol ("Tcp") and name ("CurrEstab").
std::optional<std::uint64_t> parse_net_snmp(std::string_view text, std::string_view protocol,
                                            std::string_view name);

struct Mount {
    std::string device, folder;  // octal escapes resolved
    std::string_view type;
};
// Mounts of block devices (source below /dev/), each device once: no network file system that could
// block, no pseudo file system; squashfs and iso9660, which are always full, are left out.
std::vector<Mount> parse_mounts(std::string_view text);

// ARPHRD_* of Linux as IANAifType, and operstate as ifOperStatus.
unsigned interface_type(unsigned arphrd);
std::optional<unsigned> interface_status(std::string_view operstate);

}  // namespace amoskys::proc
