#include <algorithm>
#include <initializer_list>

#include "modules/collectors/proc/decode.h"
#include "modules/collectors/proc/host.h"

namespace amoskys::proc {
namespace {

// Indices that net-snmp gives: hrDeviceIndex of the first processor, hrStorageIndex of the first
// file system.
constexpr unsigned first_processor_index = 196608, first_filesystem_index = 31;
constexpr std::uint64_t sector_bytes = 512;

using Label = std::pair<std::string_view, std::string_view>;

// Appends metrics of one row (or scalars, with index "") with its labels.
class RowWriter {
  public:
    RowWriter(messaging::DeviceTelemetry& out, std::string index,
              std::initializer_list<Label> labels)
        : out_(out), index_(std::move(index)), labels_(labels) {}

    void text(std::string_view name, std::string_view value) {
        auto& data = add(name, "GAUGE", "");
        append_safe_text(value, max_text_bytes, *data.mutable_string_value());
        data.set_value_kind(messaging::MetricData::TEXT);
    }
    void real_gauge(std::string_view name, std::string_view unit, double value) {
        auto& data = add(name, "GAUGE", unit);
        data.set_numeric_value(value);
        data.set_value_kind(messaging::MetricData::NUMERIC);
    }
    void gauge(std::string_view name, std::string_view unit, std::optional<std::uint64_t> value) {
        if (value)
            integer(add(name, "GAUGE", unit), *value);
    }
    void counter(std::string_view name, std::string_view unit, std::optional<std::uint64_t> value) {
        if (value)
            integer(add(name, "COUNTER", unit), *value);
    }

  private:
    messaging::MetricData& add(std::string_view name, std::string_view type,
                               std::string_view unit) {
        auto& event = *out_.add_events();
        event.set_event_type("METRIC");
        auto& data = *event.mutable_metric_data();
        data.set_metric_name(std::string(name));
        data.set_metric_type(std::string(type));
        data.set_unit(std::string(unit));
        data.set_index(index_);
        auto& labels = *data.mutable_labels();
        labels["source"] = "proc";
        for (const auto& [key, value] : labels_)
            append_safe_text(value, 256, labels[std::string(key)]);
        return data;
    }
    static void integer(messaging::MetricData& data, std::uint64_t value) {
        constexpr std::uint64_t exact_in_double = std::uint64_t{1} << 53;
        data.set_numeric_value(static_cast<double>(value));
        if (value > exact_in_double)
            data.set_counter_value(value);
        data.set_value_kind(messaging::MetricData::NUMERIC);
    }

    messaging::DeviceTelemetry& out_;
    std::string index_;
    std::vector<Label> labels_;
};

std::optional<std::uint64_t> difference(std::optional<std::uint64_t> a,
                                        std::optional<std::uint64_t> b) {
    if (!a || !b || *b > *a)
        return std::nullopt;
    return *a - *b;
}

void record_system(const HostInput& input, RowWriter& scalars) {
    if (!input.description.empty())
        scalars.text("sysDescr", input.description);
    if (!input.name.empty())
        scalars.text("sysName", input.name);
    if (const auto seconds = parse_uptime(input.uptime)) {
        const auto ticks = static_cast<std::uint64_t>(*seconds * 100);
        scalars.gauge("sysUpTime", "ticks", ticks);
        scalars.gauge("hrSystemUptime", "ticks", ticks);
    }
    if (const auto load = parse_loadavg(input.loadavg)) {
        scalars.real_gauge("laLoad1", "1", (*load)[0]);
        scalars.real_gauge("laLoad5", "1", (*load)[1]);
        scalars.real_gauge("laLoad15", "1", (*load)[2]);
    }
    scalars.gauge("tcpCurrEstab", "connections",
                  parse_net_snmp(input.net_snmp, "Tcp", "CurrEstab"));
}

void record_memory(const Memory& memory, RowWriter& scalars) {
    scalars.gauge("hrMemorySize", "KiB", memory.total);
    scalars.gauge("memTotalSwap", "KiB", memory.swap_total);
    scalars.gauge("memAvailSwap", "KiB", memory.swap_free);
    scalars.gauge("memTotalReal", "KiB", memory.total);
    scalars.gauge("memAvailReal", "KiB", memory.free);
    scalars.gauge("memBuffer", "KiB", memory.buffers);
    scalars.gauge("memCached", "KiB", memory.cached);
    scalars.gauge("memSysAvail", "KiB", memory.available);
}

void record_cpu(const CpuTable& now, const CpuTable& before, RowWriter& scalars,
                messaging::DeviceTelemetry& out) {
    constexpr std::string_view names[] = {"ssCpuRawUser",    "ssCpuRawNice", "ssCpuRawSystem",
                                          "ssCpuRawIdle",    "ssCpuRawWait", "ssCpuRawInterrupt",
                                          "ssCpuRawSoftIRQ", "ssCpuRawSteal"};
    for (std::size_t i = 0; i < std::size(names); ++i)
        scalars.counter(names[i], "ticks", now.all.ticks[i]);
    for (const auto& [number, times] : now.cpus) {
        const auto number_ = number;
        const auto old =
            std::find_if(before.cpus.begin(), before.cpus.end(),
                         [number_](const auto& entry) { return entry.first == number_; });
        if (old == before.cpus.end() || times.total() <= old->second.total())
            continue;
        const auto total = times.total() - old->second.total();
        // iowait of a CPU can fall: it is an estimate (proc(5)).
        const auto idle =
            std::min(total, times.idle() - std::min(times.idle(), old->second.idle()));
        RowWriter row(out, std::to_string(first_processor_index + number), {});
        row.real_gauge("hrProcessorLoad", "percent",
                       100.0 * static_cast<double>(total - idle) / static_cast<double>(total));
    }
}

void record_storage_row(messaging::DeviceTelemetry& out, unsigned index, std::string_view descr,
                        std::uint64_t unit_bytes, std::optional<std::uint64_t> size,
                        std::optional<std::uint64_t> used) {
    if (!size || !used)
        return;
    RowWriter row(out, std::to_string(index), {{"hrStorageDescr", descr}});
    row.text("hrStorageDescr", descr);
    row.gauge("hrStorageAllocationUnits", "bytes", unit_bytes);
    row.gauge("hrStorageSize", "allocation_units", size);
    row.gauge("hrStorageUsed", "allocation_units", used);
}

void record_storage(const HostInput& input, const Memory& memory, messaging::DeviceTelemetry& out) {
    constexpr std::uint64_t kib = 1024;
    const auto used = difference(memory.total, memory.free);
    const auto swap_used = difference(memory.swap_total, memory.swap_free);
    record_storage_row(out, 1, "Physical memory", kib, memory.total, used);
    if (used && swap_used)
        record_storage_row(out, 3, "Virtual memory", kib, *memory.total + *memory.swap_total,
                           *used + *swap_used);
    record_storage_row(out, 6, "Memory buffers", kib, memory.total, memory.buffers);
    record_storage_row(out, 7, "Cached memory", kib, memory.cached, memory.cached);
    record_storage_row(out, 8, "Shared memory", kib, memory.shared, memory.shared);
    record_storage_row(out, 10, "Swap space", kib, memory.swap_total, swap_used);
    unsigned index = first_filesystem_index;
    for (const auto& filesystem : input.filesystems)
        record_storage_row(out, index++, filesystem.folder, filesystem.unit_bytes,
                           filesystem.size_units, filesystem.used_units);
}

void record_disks(std::string_view diskstats, messaging::DeviceTelemetry& out) {
    for (const auto& disk : parse_diskstats(diskstats)) {
        RowWriter row(out, std::to_string(disk.row), {{"diskIODevice", disk.name}});
        row.text("diskIODevice", disk.name);
        row.counter("diskIOReads", "operations", disk.reads);
        row.counter("diskIOWrites", "operations", disk.writes);
        row.counter("diskIONReadX", "bytes", disk.read_sectors * sector_bytes);
        row.counter("diskIONWrittenX", "bytes", disk.written_sectors * sector_bytes);
    }
}

void record_interfaces(const HostInput& input, messaging::DeviceTelemetry& out) {
    unsigned position = 0;
    for (const auto& counters : parse_net_dev(input.net_dev)) {
        ++position;  // the index where sysfs is not there to say
        InterfaceFacts facts;
        if (const auto found = input.interfaces.find(counters.name);
            found != input.interfaces.end())
            facts = found->second;
        RowWriter row(out, std::to_string(facts.index.value_or(position)),
                      {{"ifDescr", counters.name}, {"ifName", counters.name}});
        row.text("ifDescr", counters.name);
        if (facts.type)
            row.gauge("ifType", "1", *facts.type);
        if (facts.speed_mbits) {
            constexpr std::uint64_t gauge32_max = 4'294'967'295;
            const auto mbits = std::min<std::uint64_t>(*facts.speed_mbits, gauge32_max);
            row.gauge("ifSpeed", "bit/s", std::min(mbits * 1'000'000, gauge32_max));
            row.gauge("ifHighSpeed", "Mbit/s", mbits);
        }
        if (facts.status)
            row.gauge("ifOperStatus", "1", *facts.status);
        const auto in_unicast = difference(counters.in_packets, counters.in_multicast);
        row.counter("ifInOctets", "bytes", counters.in_bytes);
        row.counter("ifInErrors", "packets", counters.in_errors);
        row.counter("ifOutOctets", "bytes", counters.out_bytes);
        row.counter("ifOutErrors", "packets", counters.out_errors);
        row.text("ifName", counters.name);
        row.counter("ifHCInOctets", "bytes", counters.in_bytes);
        row.counter("ifHCInUcastPkts", "packets", in_unicast);
        row.counter("ifHCOutOctets", "bytes", counters.out_bytes);
        row.counter("ifHCOutUcastPkts", "packets", counters.out_packets);
        if (!facts.alias.empty())
            row.text("ifAlias", facts.alias);
    }
}

}  // namespace

void HostRecorder::record(const HostInput& input, messaging::DeviceTelemetry& out) {
    RowWriter scalars(out, "", {});
    const auto memory = parse_meminfo(input.meminfo);
    auto cpu = parse_cpu(input.stat);
    record_system(input, scalars);
    record_memory(memory, scalars);
    record_cpu(cpu, before_, scalars, out);
    record_storage(input, memory, out);
    record_disks(input.diskstats, out);
    record_interfaces(input, out);
    if (!cpu.cpus.empty())
        before_ = std::move(cpu);
    out.set_batch_size(static_cast<std::uint32_t>(out.events_size()));
}

}  // namespace amoskys::proc
