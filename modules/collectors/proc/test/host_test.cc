#include "modules/collectors/proc/host.h"

#include <sys/statvfs.h>

#include <catch2/catch.hpp>
#include <optional>

#include "modules/collectors/proc/test/fake_proc.h"

using namespace amoskys;
using namespace amoskys::proc;

namespace {

const messaging::MetricData* find(const messaging::DeviceTelemetry& record, std::string_view name,
                                  std::string_view index = "") {
    for (const auto& event : record.events())
        if (event.metric_data().metric_name() == name && event.metric_data().index() == index)
            return &event.metric_data();
    return nullptr;
}

std::optional<double> value(const messaging::DeviceTelemetry& record, std::string_view name,
                            std::string_view index = "") {
    const auto* data = find(record, name, index);
    if (data == nullptr)
        return std::nullopt;
    return data->numeric_value();
}

HostInput full_input() {
    HostInput input;
    input.stat =
        "cpu  10 20 30 40 50 60 70 80 0 0\ncpu0 5 10 15 20 25 30 35 40 0 0\ncpu1 5 10 15 20 25 30 "
        "35 40 0 0\n"
        "intr 1 2 3\n";
    input.meminfo =
        "MemTotal: 1000 kB\nMemFree: 400 kB\nMemAvailable: 700 kB\nBuffers: 20 kB\nCached: 100 kB\n"
        "Shmem: 5 kB\nSwapTotal: 50 kB\nSwapFree: 10 kB\n";
    input.loadavg = "0.50 1.25 2.00 3/104 999\n";
    input.uptime = "123.45 200.00\n";
    input.diskstats =
        "   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0\n 254       0 vda 10 1 8 3 20 1 16 3 0 4 5\n";
    input.net_dev =
        "Inter-|   Receive |  Transmit\n face |bytes packets errs\n"
        "    lo: 100 5 0 0 0 0 0 0 100 5 0 0 0 0 0 0\n"
        "  eth0:6000000000 50 2 0 0 0 0 10 7000 60 3 0 0 0 0 0\n";
    input.net_snmp = "Ip: A\nIp: 1\nTcp: RtoAlgorithm CurrEstab InSegs\nTcp: 1 4 9\n";
    input.interfaces["eth0"] = {2, 6, 1, 10000, "uplink"};
    input.filesystems.push_back({"/", 4096, 1000, 250});
    input.description = "Linux box 6.1";
    input.name = "box";
    return input;
}

}  // namespace

TEST_CASE("host metrics have the names, units and rows of the SNMP profile") {
    HostRecorder recorder;
    messaging::DeviceTelemetry record;
    recorder.record(full_input(), record);
    CHECK(find(record, "sysDescr")->string_value() == "Linux box 6.1");
    CHECK(find(record, "sysName")->value_kind() == messaging::MetricData::TEXT);
    CHECK(value(record, "hrSystemUptime") == 12345);
    CHECK(find(record, "hrSystemUptime")->unit() == "ticks");
    CHECK(value(record, "laLoad5") == 1.25);
    CHECK(value(record, "tcpCurrEstab") == 4);
    CHECK(value(record, "hrMemorySize") == 1000);
    CHECK(find(record, "memSysAvail")->unit() == "KiB");
    CHECK(value(record, "memAvailReal") == 400);
    CHECK(value(record, "ssCpuRawIdle") == 40);
    CHECK(find(record, "ssCpuRawIdle")->metric_type() == "COUNTER");
    CHECK(value(record, "ssCpuRawSteal") == 80);
    CHECK(value(record, "hrStorageUsed", "1") == 600);
    CHECK(value(record, "hrStorageUsed", "10") == 40);
    CHECK(value(record, "hrStorageSize", "31") == 1000);
    CHECK(find(record, "hrStorageUsed", "31")->unit() == "allocation_units");
    CHECK(find(record, "hrStorageUsed", "31")->labels().at("hrStorageDescr") == "/");
    CHECK(value(record, "diskIONReadX", "2") == 8 * 512);
    CHECK(value(record, "diskIOWrites", "2") == 20);
    CHECK(find(record, "diskIODevice", "2")->labels().at("source") == "proc");
    CHECK(value(record, "diskIOReads", "1") == std::nullopt);
    CHECK(value(record, "ifHCInOctets", "2") == 6e9);
    CHECK(value(record, "ifHCInUcastPkts", "2") == 40);
    CHECK(value(record, "ifSpeed", "2") == 4294967295.0);
    CHECK(value(record, "ifHighSpeed", "2") == 10000);
    CHECK(value(record, "ifOperStatus", "2") == 1);
    CHECK(find(record, "ifAlias", "2")->string_value() == "uplink");
    CHECK(value(record, "ifInOctets", "1") == 100);
    CHECK(record.batch_size() == static_cast<unsigned>(record.events_size()));
}

TEST_CASE("what the host does not say is missing, never 0") {
    HostRecorder recorder;
    messaging::DeviceTelemetry record;
    recorder.record(HostInput{}, record);
    CHECK(record.events_size() == 0);
    auto input = full_input();
    input.meminfo = "MemTotal: 1000 kB\n";
    input.stat = "cpu  1 2 3 4\n";  // an old kernel
    recorder.record(input, record);
    CHECK(find(record, "memSysAvail") == nullptr);
    CHECK(find(record, "hrStorageUsed", "1") == nullptr);
    CHECK(find(record, "ssCpuRawSteal") == nullptr);
    CHECK(value(record, "ssCpuRawIdle") == 4);
    CHECK(find(record, "ifSpeed", "1") == nullptr);
    CHECK(find(record, "sysContact") == nullptr);
}

TEST_CASE("processor load is of the time between two looks") {
    HostRecorder recorder;
    messaging::DeviceTelemetry first, second;
    auto input = full_input();
    recorder.record(input, first);
    CHECK(find(first, "hrProcessorLoad", "196608") == nullptr);
    input.stat =
        "cpu  0 0 0 0 0 0 0 0\ncpu0 30 10 15 85 35 30 35 40\ncpu1 5 10 15 20 25 30 35 40\n";
    recorder.record(input, second);
    CHECK(*value(second, "hrProcessorLoad", "196608") == Approx(25));
    CHECK(find(second, "hrProcessorLoad", "196608")->unit() == "percent");
    CHECK(find(second, "hrProcessorLoad", "196609") == nullptr);  // its counters stood still
}

TEST_CASE("mounts are those of block devices, each once, with escapes resolved") {
    const auto mounts = parse_mounts(
        "proc /proc proc rw 0 0\n/dev/vda1 / ext4 rw 0 0\n/dev/vda1 /bind ext4 rw 0 0\n"
        "/dev/sdb1 /mnt/a\\040b xfs rw 0 0\nserver:/x /nfs nfs rw 0 0\n/dev/loop3 /snap squashfs "
        "ro 0 0\nbroken\n");
    REQUIRE(mounts.size() == 2);
    CHECK(mounts[0].folder == "/");
    CHECK(mounts[1].folder == "/mnt/a b");
}

TEST_CASE("malformed lines of host files are left out") {
    CHECK(parse_diskstats("x\n1 2\n1 2 sda 5\n").empty());
    CHECK(parse_net_dev("eth0: 1 2 3\n: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n").empty());
    CHECK(parse_cpu("cpux 1\n").cpus.empty());
    CHECK_FALSE(parse_loadavg("a b c"));
    CHECK_FALSE(parse_loadavg("nan 1 2"));
    CHECK_FALSE(parse_uptime("inf"));
    CHECK_FALSE(parse_net_snmp("Tcp: CurrEstab\nTcp: -1\n", "Tcp", "CurrEstab"));
    CHECK_FALSE(parse_net_snmp("Tcp: CurrEstab\n", "Tcp", "CurrEstab"));
    CHECK_FALSE(interface_status("bogus"));
}

TEST_CASE("host reader takes a copied tree and counts what is not there") {
    FakeProc fake;
    fake.write("stat", "cpu  1 2 3 4 5 6 7 8\n");
    fake.write("self/mounts", "/dev/fake " + fake.root.string() + " ext4 rw 0 0\n");
    fake.write("self/net/dev", "  eth7: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n");
    fake.write("sys/class/net/eth7/ifindex", "12\n");
    fake.write("sys/class/net/eth7/operstate", "down\n");
    fake.write("sys/class/net/eth7/speed", "-1\n");
    HostReader reader(fake.root, fake.root / "sys");
    const auto input = reader.read();
    REQUIRE(input.filesystems.size() == 1);
    struct statvfs info {};
    REQUIRE(::statvfs(fake.root.c_str(), &info) == 0);
    CHECK(input.filesystems[0].size_units == info.f_blocks);
    CHECK(input.interfaces.at("eth7").index == 12U);
    CHECK(input.interfaces.at("eth7").status == 2U);
    CHECK_FALSE(input.interfaces.at("eth7").speed_mbits);
    CHECK(reader.unreadable() == 4);  // meminfo, loadavg, diskstats, net/snmp
}

TEST_CASE("the real host gives its memory, load, processors and an interface") {
    HostReader reader("/proc", "/sys");
    HostRecorder recorder;
    messaging::DeviceTelemetry record;
    recorder.record(reader.read(), record);
    for (const auto* name : {"sysDescr", "sysName", "hrSystemUptime", "laLoad1", "memTotalReal",
                             "memAvailReal", "ssCpuRawUser", "ssCpuRawIdle", "hrMemorySize"})
        CHECK(find(record, name) != nullptr);
}
