#include "modules/transformation/etl/derive.h"

#include <algorithm>
#include <span>

namespace amoskys::etl {
namespace {

// Order of derived_forms(); `most_derived` is their number.
enum Derived : std::size_t {
    cpu_avg,
    cpu_max,
    memory_percent,
    memory_used_mb,
    swap_percent,
    disk_percent,
    network_total_bytes,
    network_total_mbps,
    network_in_mbps,
    network_out_mbps,
    error_rate,
    disk_io_total,
    disk_total_mbps,
    io_wait,
    cpu_steal,
    uptime_seconds,
    connections,
    most_derived
};

constexpr std::array<DerivedForm, most_derived> forms{{
    {"cpu_avg", "percent", "mean of hrProcessorLoad over the processors"},
    {"cpu_max", "percent", "largest hrProcessorLoad of a processor"},
    {"memory_percent", "percent", "(memTotalReal - memSysAvail) / memTotalReal x 100"},
    {"memory_used_mb", "MiB", "(memTotalReal - memSysAvail) / 1024"},
    {"swap_percent", "percent", "(memTotalSwap - memAvailSwap) / memTotalSwap x 100"},
    {"disk_percent", "percent", "hrStorageUsedPercent of the fullest file system"},
    {"network_total_bytes", "bytes/s", "octets in and out per second, of all but loopback"},
    {"network_total_mbps", "Mbit/s", "network_total_bytes x 8 / 1e6"},
    {"network_in_mbps", "Mbit/s", "octets in per second x 8 / 1e6, of all but loopback"},
    {"network_out_mbps", "Mbit/s", "octets out per second x 8 / 1e6, of all but loopback"},
    {"error_rate", "percent", "errors in and out / (packets in and out) x 100"},
    {"disk_io_total", "operations/s", "diskIOReads + diskIOWrites per second"},
    {"disk_total_mbps", "MB/s", "bytes read and written per second / 1e6"},
    {"io_wait", "percent", "ssCpuRawWait of all ssCpuRaw ticks x 100"},
    {"cpu_steal", "percent", "ssCpuRawSteal of all ssCpuRaw ticks x 100"},
    {"uptime_seconds", "s", "hrSystemUptime / 100, or sysUpTime / 100 without it"},
    {"connections", "connections", "tcpCurrEstab"},
}};

struct Source {
    std::string_view metric;
    Ingredient what;
};
constexpr Source sources[] = {
    {"hrProcessorLoad", Ingredient::cpu_load},
    {"memTotalReal", Ingredient::memory_total},
    {"memSysAvail", Ingredient::memory_available},
    {"memTotalSwap", Ingredient::swap_total},
    {"memAvailSwap", Ingredient::swap_available},
    {"hrStorageUsedPercent", Ingredient::storage_percent},
    {"ifInOctets_rate", Ingredient::octets_in},
    {"ifOutOctets_rate", Ingredient::octets_out},
    {"ifHCInOctets_rate", Ingredient::octets_in_wide},
    {"ifHCOutOctets_rate", Ingredient::octets_out_wide},
    {"ifHCInUcastPkts_rate", Ingredient::packets_in},
    {"ifHCOutUcastPkts_rate", Ingredient::packets_out},
    {"ifInErrors_rate", Ingredient::errors_in},
    {"ifOutErrors_rate", Ingredient::errors_out},
    {"diskIOReads_rate", Ingredient::disk_reads},
    {"diskIOWrites_rate", Ingredient::disk_writes},
    {"diskIONReadX_rate", Ingredient::disk_bytes_read},
    {"diskIONWrittenX_rate", Ingredient::disk_bytes_written},
    {"ssCpuRawWait_rate", Ingredient::cpu_wait},
    {"ssCpuRawSteal_rate", Ingredient::cpu_steal},
    {"ssCpuRawUser_rate", Ingredient::cpu_other},
    {"ssCpuRawNice_rate", Ingredient::cpu_other},
    {"ssCpuRawSystem_rate", Ingredient::cpu_other},
    {"ssCpuRawIdle_rate", Ingredient::cpu_idle},
    {"ssCpuRawInterrupt_rate", Ingredient::cpu_other},
    {"ssCpuRawSoftIRQ_rate", Ingredient::cpu_other},
    {"hrSystemUptime", Ingredient::uptime_host},
    {"sysUpTime", Ingredient::uptime_agent},
    {"tcpCurrEstab", Ingredient::connections},
};

bool names_file_system(std::string_view text) {
    return text.starts_with('/') || (text.size() >= 2 && text[1] == ':');
}

}  // namespace

std::span<const DerivedForm> derived_forms() {
    return forms;
}

bool of_interfaces(Ingredient what) {
    return what >= Ingredient::octets_in && what <= Ingredient::errors_out;
}

bool of_octets(Ingredient what) {
    return what >= Ingredient::octets_in && what <= Ingredient::octets_out_wide;
}

Ingredient ingredient_of(std::string_view canonical_name) {
    for (const Source& source : sources)
        if (source.metric == canonical_name)
            return source.what;
    return Ingredient::none;
}

void Ingredients::add(Ingredient what, double value) {
    Sum& sum = sums_[static_cast<std::size_t>(what)];
    sum.most = sum.count == 0 ? value : std::max(sum.most, value);
    sum.total += value;
    ++sum.count;
    any_ = true;
}

std::optional<double> Ingredients::total(Ingredient what) const {
    return of(what).count == 0 ? std::nullopt : std::optional(of(what).total);
}

std::optional<double> Ingredients::total(Ingredient first, Ingredient second) const {
    const auto known = total(first);
    return known ? known : total(second);
}

void Ingredients::derive(std::vector<std::pair<std::size_t, double>>& out) {
    using In = Ingredient;
    if (!any_)
        return;
    const auto percent_used = [&](Derived as, In whole_of, In rest_of) {
        const auto whole = total(whole_of), rest = total(rest_of);
        if (whole && rest && *whole > 0)
            out.emplace_back(as, (*whole - *rest) / *whole * 100);
    };
    const auto sum = [](std::optional<double> a, std::optional<double> b) {
        return a && b ? std::optional(*a + *b) : std::nullopt;
    };
    if (const Sum& load = of(In::cpu_load); load.count > 0) {
        out.emplace_back(cpu_avg, load.total / load.count);
        out.emplace_back(cpu_max, load.most);
    }
    percent_used(memory_percent, In::memory_total, In::memory_available);
    if (const auto all = total(In::memory_total), rest = total(In::memory_available); all && rest)
        out.emplace_back(memory_used_mb, (*all - *rest) / 1024);
    percent_used(swap_percent, In::swap_total, In::swap_available);
    if (const Sum& storage = of(In::storage_percent); storage.count > 0)
        out.emplace_back(disk_percent, storage.most);
    const auto in = total(In::octets_in_wide, In::octets_in);
    const auto away = total(In::octets_out_wide, In::octets_out);
    if (const auto both = sum(in, away)) {
        out.emplace_back(network_total_bytes, *both);
        out.emplace_back(network_total_mbps, *both * 8 / 1e6);
    }
    if (in)
        out.emplace_back(network_in_mbps, *in * 8 / 1e6);
    if (away)
        out.emplace_back(network_out_mbps, *away * 8 / 1e6);
    const auto errors = sum(total(In::errors_in), total(In::errors_out));
    const auto packets = sum(total(In::packets_in), total(In::packets_out));
    if (errors && packets && *packets > 0)
        out.emplace_back(error_rate, *errors / *packets * 100);
    if (const auto both = sum(total(In::disk_reads), total(In::disk_writes)))
        out.emplace_back(disk_io_total, *both);
    if (const auto both = sum(total(In::disk_bytes_read), total(In::disk_bytes_written)))
        out.emplace_back(disk_total_mbps, *both / 1e6);
    const auto wait = total(In::cpu_wait), steal = total(In::cpu_steal);
    if (const auto busy = total(In::cpu_other), idle = total(In::cpu_idle); busy && idle) {
        const double ticks = *busy + *idle + wait.value_or(0) + steal.value_or(0);
        if (wait && ticks > 0)
            out.emplace_back(io_wait, *wait / ticks * 100);
        if (steal && ticks > 0)
            out.emplace_back(cpu_steal, *steal / ticks * 100);
    }
    if (const auto ticks = total(In::uptime_host, In::uptime_agent))
        out.emplace_back(uptime_seconds, *ticks / 100);
    if (const auto open = total(In::connections))
        out.emplace_back(connections, *open);
    sums_ = {};
    any_ = false;
}

bool RowRoles::concerns(std::string_view metric) {
    return metric == "ifDescr" || metric == "ifType" || metric == "hrStorageDescr";
}

bool RowRoles::learn(std::string_view metric, std::string_view index, std::string_view text) {
    if ((metric == "ifType" && text == "softwareLoopback") ||
        (metric == "ifDescr" && (text == "lo" || text == "lo0")))
        return loopbacks_.emplace(index).second;
    if (metric == "hrStorageDescr" && names_file_system(text))
        return file_systems_.emplace(index).second;
    return false;
}

bool RowRoles::counts(Ingredient what, std::string_view index) const {
    if (of_interfaces(what))
        return loopbacks_.find(index) == loopbacks_.end();
    if (what == Ingredient::storage_percent)
        return file_systems_.find(index) != file_systems_.end();
    return true;
}

void RowRoles::transfer(StateArchive& archive) {
    for (auto* rows : {&loopbacks_, &file_systems_}) {
        std::vector<std::string> names(rows->begin(), rows->end());
        names.resize(archive.count(names.size()));
        for (std::string& name : names)
            archive.text(name);
        rows->insert(names.begin(), names.end());
    }
}

}  // namespace amoskys::etl
