#include <sys/statvfs.h>
#include <sys/utsname.h>

#include <algorithm>

#include "core/base/file.h"
#include "core/base/text.h"
#include "modules/collectors/proc/decode.h"
#include "modules/collectors/proc/host.h"

namespace amoskys::proc {
namespace {

constexpr std::uint64_t file_limit_bytes = 4 << 20;

std::optional<std::uint64_t> whole_number(std::string_view text) {
    std::uint64_t value = 0;
    text = trim(text);
    if (!take_number(text, value) || !text.empty())
        return std::nullopt;
    return value;
}

std::optional<unsigned> small_number(std::string_view text) {
    const auto value = whole_number(text);
    if (!value || *value > UINT32_MAX)
        return std::nullopt;
    return static_cast<unsigned>(*value);
}

std::string optional_text(const fs::path& path) {
    auto content = read_file(path, file_limit_bytes);
    return content ? std::move(*content) : std::string();
}

}  // namespace

std::string HostReader::text(const std::filesystem::path& path) {
    auto content = read_file(path, file_limit_bytes);
    if (!content) {
        ++unreadable_;
        return "";
    }
    return std::move(*content);
}

InterfaceFacts HostReader::interface(const std::string& name) {
    InterfaceFacts facts;
    if (name.find('/') != std::string::npos)
        return facts;
    const auto folder = sys_ / "class/net" / name;
    facts.index = small_number(optional_text(folder / "ifindex"));
    if (const auto type = small_number(optional_text(folder / "type")))
        facts.type = interface_type(*type);
    facts.status = interface_status(trim(optional_text(folder / "operstate")));
    facts.speed_mbits =
        whole_number(optional_text(folder / "speed"));  // EINVAL or -1 where it has none
    facts.alias = trim(optional_text(folder / "ifalias"));
    return facts;
}

std::vector<FilesystemFacts> HostReader::filesystems() {
    std::vector<FilesystemFacts> out;
    for (const auto& mount : parse_mounts(text(proc_ / "self/mounts"))) {
        struct statvfs info {};
        if (::statvfs(mount.folder.c_str(), &info) != 0 || info.f_blocks == 0)
            continue;
        out.push_back({mount.folder, info.f_frsize, info.f_blocks, info.f_blocks - info.f_bfree});
    }
    return out;
}

HostInput HostReader::read() {
    HostInput input;
    input.stat = text(proc_ / "stat");
    input.meminfo = text(proc_ / "meminfo");
    input.loadavg = text(proc_ / "loadavg");
    input.uptime = text(proc_ / "uptime");
    input.diskstats = text(proc_ / "diskstats");
    input.net_dev = text(proc_ / "self/net/dev");
    input.net_snmp = text(proc_ / "self/net/snmp");
    for (const auto& counters : parse_net_dev(input.net_dev))
        input.interfaces.try_emplace(std::string(counters.name),
                                     interface(std::string(counters.name)));
    input.filesystems = filesystems();
    utsname system{};
    if (::uname(&system) == 0) {
        input.description = std::string(system.sysname) + " " + system.nodename + " " +
                            system.release + " " + system.version + " " + system.machine;
        input.name = system.nodename;
    }
    return input;
}

}  // namespace amoskys::proc
