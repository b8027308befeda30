// Metrics of the process itself, from getrusage and /proc/self.
#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "core/metrics/process.h"

namespace amoskys::metrics {
namespace {

double seconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double seconds_of(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// The n-th number (from 0) after the last `behind` in a file of one line; 0 where it is not there.
double number_in(const char* path, char behind, int n) {
    std::array<char, 1024> text{};
    std::FILE* file = std::fopen(path, "re");
    if (file == nullptr)
        return 0;
    const std::size_t got = std::fread(text.data(), 1, text.size() - 1, file);
    std::fclose(file);
    text[got] = '\0';
    const char* at = behind == '\0' ? text.data() : std::strrchr(text.data(), behind);
    if (at == nullptr)
        return 0;
    at += behind == '\0' ? 0 : 1;
    for (int i = 0; i <= n; ++i) {
        at += std::strspn(at, " ");
        if (i < n)
            at += std::strcspn(at, " ");
    }
    return static_cast<double>(std::strtoull(at, nullptr, 10));
}

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

double resident_bytes() {
    return number_in("/proc/self/statm", '\0', 1) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

// /proc/self/stat: the program's name in brackets, then state, ppid...; starttime is the 20th.
double start_seconds() {
    const double ticks = number_in("/proc/self/stat", ')', 19);
    const double boot = seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME);
    return boot + ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double open_files() {
    DIR* folder = ::opendir("/proc/self/fd");
    if (folder == nullptr)
        return 0;
    double count = -3;  // ".", ".." and the folder itself
    while (::readdir(folder) != nullptr)
        ++count;
    ::closedir(folder);
    return count;
}

constexpr std::array process_table{
    MetricInfo{"process_cpu_seconds_total", Kind::counter, "seconds", "CPU time, user and system"},
    MetricInfo{"process_open_fds", Kind::gauge, "", "Open file descriptors"},
    MetricInfo{"process_resident_memory_bytes", Kind::gauge, "bytes",
               "Resident memory, mapped pages of the log among it"},
    MetricInfo{"process_start_time_seconds", Kind::gauge, "seconds",
               "Unix time at which the process started"},
};
using Read = double (*)();
constexpr std::array<Read, process_table.size()> process_reads{cpu_seconds, open_files,
                                                               resident_bytes, start_seconds};

}  // namespace

std::span<const MetricInfo> process_metrics() {
    return process_table;
}

double process_value(const MetricInfo& info) {
    for (std::size_t i = 0; i < process_table.size(); ++i)
        if (process_table[i].name == info.name)
            return process_reads[i]();
    return 0;
}

}  // namespace amoskys::metrics
