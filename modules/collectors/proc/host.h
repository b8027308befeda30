// This host's own metrics under the names, units and row indices that an SNMP agent on it would
// give them (conf/snmp/default.yaml), so that a box without snmpd is seen the same way. HostReader
// does the reading; HostRecorder makes the record and is fed with texts alone. Neither is
// thread-safe.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "modules/collectors/proc/host_decode.h"
#include "proto/universal_telemetry.pb.h"

namespace amoskys::proc {

struct InterfaceFacts {
    std::optional<unsigned> index, type, status;
    std::optional<std::uint64_t> speed_mbits;
    std::string alias;
};
struct FilesystemFacts {
    std::string folder;
    std::uint64_t unit_bytes = 0, size_units = 0, used_units = 0;
};

// What one look at the host gives. An empty text was not readable: its metrics are missing.
struct HostInput {
    std::string stat, meminfo, loadavg, uptime, diskstats, net_dev, net_snmp;
    std::map<std::string, InterfaceFacts, std::less<>> interfaces;  // by name
    std::vector<FilesystemFacts> filesystems;
    std::string description, name;  // sysDescr, sysName
};

class HostRecorder {
  public:
    // Appends METRIC events. hrProcessorLoad needs an earlier look: missing in the first one.
    void record(const HostInput& input, messaging::DeviceTelemetry& out);
    // Only remembers the CPU times.
    void prime(const std::string& stat) { before_ = parse_cpu(stat); }

  private:
    CpuTable before_;
};

class HostReader {
  public:
    HostReader(std::filesystem::path proc_root, std::filesystem::path sys_root)
        : proc_(std::move(proc_root)), sys_(std::move(sys_root)) {}
    HostInput read();
    std::string read_stat() { return text(proc_ / "stat"); }
    std::uint64_t unreadable() const { return unreadable_; }  // files, since the start

  private:
    std::string text(const std::filesystem::path& path);
    InterfaceFacts interface(const std::string& name);
    std::vector<FilesystemFacts> filesystems();

    std::filesystem::path proc_, sys_;
    std::uint64_t unreadable_ = 0;
};

}  // namespace amoskys::proc
