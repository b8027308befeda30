#include "modules/transformation/etl/derive.h"

#include <catch2/catch.hpp>
#include <map>

#include "modules/transformation/etl/canonical.h"
#include "modules/transformation/etl/test/feeder.h"
#include "modules/transformation/etl/test/one_device.h"

using namespace amoskys;
using namespace amoskys::etl;
using namespace amoskys::etl::test;

namespace {

constexpr UnixNanos first = origin, second_poll = origin + 10 * second;

wire::Event with_unit(wire::Event event, std::string_view unit) {
    event.unit = unit;
    return event;
}

}  // namespace

TEST_CASE("load of processors, memory and swap become percentages") {
    OneDevice device;
    const auto values =
        device.at(first, {gauge("d", first, "hrProcessorLoad", 10, "1"),
                          gauge("d", first, "hrProcessorLoad", 50, "2"),
                          with_unit(gauge("d", first, "memTotalReal", 4096), "KiB"),
                          with_unit(gauge("d", first, "memSysAvail", 1024), "KiB"),
                          with_unit(gauge("d", first, "memTotalSwap", 200), "KiB"),
                          with_unit(gauge("d", first, "memAvailSwap", 150), "KiB")});
    CHECK(values.at("cpu_avg") == 30);
    CHECK(values.at("cpu_max") == 50);
    CHECK(values.at("memory_percent") == 75);
    CHECK(values.at("memory_used_mb") == 3);
    CHECK(values.at("swap_percent") == 25);
    CHECK(values.at("memTotalReal") == 4);
    CHECK(device.unit_of("memTotalReal") == "MiB");
    CHECK(device.unit_of("memory_percent") == "percent");
}

TEST_CASE("a device without swap has no percentage of it") {
    OneDevice device;
    CHECK(
        device
            .at(first, {gauge("d", first, "memTotalSwap", 0), gauge("d", first, "memAvailSwap", 0)})
            .count("swap_percent") == 0);
}

TEST_CASE(
    "network totals are of all interfaces but loopback, from the wide counters where they are") {
    OneDevice device;
    device.text("ifDescr", "1", "lo");
    const auto poll = [](UnixNanos time_ns, double octets) {
        std::vector<wire::Event> events;
        for (const char* index : {"1", "2", "3"})
            for (const char* metric :
                 {"ifInOctets", "ifHCInOctets", "ifHCOutOctets", "ifOutOctets"})
                events.push_back(
                    counter("d", time_ns, metric, metric[2] == 'H' ? octets : octets / 2, index));
        return events;
    };
    CHECK(device.at(first, poll(first, 0)).empty());
    // a million octets in 10 s: 0.8 Mbit/s per interface and direction
    const auto values = device.at(second_poll, poll(second_poll, 1e6));
    CHECK(values.at("network_total_bytes") == 400'000);
    CHECK(values.at("network_total_mbps") == Approx(3.2).epsilon(1e-15));
    CHECK(values.at("network_in_mbps") == Approx(1.6).epsilon(1e-15));
    CHECK(values.at("ifHCInOctets_rate") == 300'000);
}

TEST_CASE("an interface that says later what it is counts from then on as that") {
    OneDevice device;
    const auto poll = [](UnixNanos time_ns, double octets) {
        return std::vector<wire::Event>{counter("d", time_ns, "ifInOctets", octets, "7"),
                                        counter("d", time_ns, "ifOutOctets", octets, "7")};
    };
    device.at(first, poll(first, 0));
    device.text("ifType", "7", "softwareLoopback");
    CHECK(device.at(second_poll, poll(second_poll, 100)).count("network_total_bytes") == 0);
}

TEST_CASE("errors are a share of packets, and no share where nothing moved") {
    OneDevice device;
    const auto poll = [](UnixNanos time_ns, double packets, double errors) {
        return std::vector<wire::Event>{counter("d", time_ns, "ifHCInUcastPkts", packets, "2"),
                                        counter("d", time_ns, "ifHCOutUcastPkts", packets, "2"),
                                        counter("d", time_ns, "ifInErrors", errors, "2"),
                                        counter("d", time_ns, "ifOutErrors", 0, "2")};
    };
    device.at(first, poll(first, 0, 0));
    CHECK(device.at(second_poll, poll(second_poll, 100, 4)).at("error_rate") == 2);
    CHECK(device.at(origin + 20 * second, poll(0, 100, 4)).count("error_rate") == 0);
}

TEST_CASE("the fullest file system stands for the disk, and memory is none") {
    OneDevice device;
    device.text("hrStorageDescr", "1", "Physical memory");
    device.text("hrStorageDescr", "31", "/");
    device.text("hrStorageDescr", "32", "C:\\ Label");
    CHECK(device
              .at(first, {gauge("d", first, "hrStorageUsedPercent", 99, "1"),
                          gauge("d", first, "hrStorageUsedPercent", 40, "31"),
                          gauge("d", first, "hrStorageUsedPercent", 60, "32")})
              .at("disk_percent") == 60);
}

TEST_CASE("waiting for disks is a share of all ticks, which are percent of one CPU") {
    OneDevice device;
    const auto poll = [](UnixNanos time_ns, double user, double idle, double wait) {
        return std::vector<wire::Event>{
            with_unit(counter("d", time_ns, "ssCpuRawUser", user), "ticks"),
            with_unit(counter("d", time_ns, "ssCpuRawIdle", idle), "ticks"),
            with_unit(counter("d", time_ns, "ssCpuRawWait", wait), "ticks")};
    };
    device.at(first, poll(first, 0, 0, 0));
    const auto values = device.at(second_poll, poll(second_poll, 200, 700, 100));
    CHECK(values.at("io_wait") == 10);
    CHECK(values.count("cpu_steal") == 0);
    CHECK(values.at("ssCpuRawUser_rate") == 20);
    CHECK(device.unit_of("ssCpuRawUser_rate") == "percent");
}

TEST_CASE("uptime in ticks becomes seconds, the host's before the agent's") {
    OneDevice device;
    const auto values =
        device.at(first, {with_unit(gauge("d", first, "sysUpTime", 500), "ticks"),
                          with_unit(gauge("d", first, "hrSystemUptime", 90'000), "ticks"),
                          gauge("d", first, "tcpCurrEstab", 7)});
    CHECK(values.at("uptime_seconds") == 900);
    CHECK(values.at("sysUpTime") == 5);
    CHECK(device.unit_of("sysUpTime") == "s");
    CHECK(values.at("connections") == 7);
}

TEST_CASE("a derived metric that the device publishes itself is not made again") {
    OneDevice device;
    device.at(first, {counter("d", first, "diskIOReads", 0, "1"),
                      counter("d", first, "diskIOWrites", 0, "1")});
    const auto values = device.at(second_poll, {counter("d", second_poll, "diskIOReads", 50, "1"),
                                                counter("d", second_poll, "diskIOWrites", 50, "1"),
                                                gauge("d", second_poll, "disk_io_total", 77)});
    CHECK(values.at("disk_io_total") == 77);
    OneDevice other;
    other.at(first, {counter("d", first, "diskIOReads", 0, "1"),
                     counter("d", first, "diskIOWrites", 0, "1")});
    CHECK(other
              .at(second_poll, {counter("d", second_poll, "diskIOReads", 50, "1"),
                                counter("d", second_poll, "diskIOWrites", 50, "1")})
              .at("disk_io_total") == 10);
}
