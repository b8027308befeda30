#include "modules/transformation/etl/observe.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "modules/transformation/etl/engine.h"
#include "modules/transformation/etl/test/feeder.h"

using namespace amoskys;
using namespace amoskys::etl;
using namespace amoskys::etl::test;

namespace {

wire::Event of(const messaging::ProcessEvent& process, UnixNanos time_ns = origin) {
    wire::Event event;
    event.time_ns = time_ns;
    event.device = "d";
    event.source = "proc";
    event.kind = wire::EventKind::process;
    event.process = &process;
    return event;
}

wire::Event of(const messaging::FlowEvent& flow) {
    wire::Event event;
    event.time_ns = flow.start_time();
    event.device = "d";
    event.source = "flow";
    event.kind = wire::EventKind::flow;
    event.flow = &flow;
    return event;
}

messaging::ProcessEvent shell(std::uint64_t pid) {
    messaging::ProcessEvent out;
    out.set_pid(pid);
    out.set_boot_id("b");
    out.set_start_ticks(77);
    out.set_exe("/usr/bin/dash");
    return out;
}

messaging::FlowEvent web(UnixNanos start_ns, UnixNanos end_ns) {
    messaging::FlowEvent out;
    out.set_src_ip("192.0.2.1");
    out.set_dst_ip("192.0.2.2");
    out.set_dst_port(443);
    out.set_protocol("TCP");
    out.set_start_time(start_ns);
    out.set_end_time(end_ns);
    return out;
}

}  // namespace

TEST_CASE("a process is the same in all its events and another one with another start") {
    auto a = shell(5), again = shell(5), reused = shell(5), other = shell(6);
    again.set_kind("EXIT");
    reused.set_start_ticks(78);
    CHECK(process_sample(of(a))->process == process_sample(of(again))->process);
    CHECK(process_sample(of(a))->process != process_sample(of(reused))->process);
    CHECK(process_sample(of(a))->process != process_sample(of(other))->process);
}

TEST_CASE("a program keeps its name when its file is deleted, a kernel thread has its own") {
    auto a = shell(5), deleted = shell(6), bare = shell(7), kernel = shell(8), nameless = shell(9);
    deleted.set_exe("/tmp/dash (deleted)");
    bare.set_exe("dash");
    kernel.clear_exe();
    kernel.set_name("kworker/0");
    nameless.clear_exe();
    const auto name = process_sample(of(a))->name;
    CHECK(process_sample(of(deleted))->name == name);
    CHECK(process_sample(of(bare))->name == name);
    CHECK(process_sample(of(kernel))->name != 0);
    CHECK(process_sample(of(kernel))->name != name);
    CHECK(process_sample(of(nameless))->name == 0);
}

TEST_CASE("what a process event does not say is missing and 0 is 0") {
    auto event = shell(5);
    const auto nothing = process_sample(of(event));
    for (const double value : {nothing->cpu_percent, nothing->rss_bytes, nothing->threads,
                               nothing->files, nothing->sockets, nothing->lifetime_s})
        CHECK(std::isnan(value));
    CHECK(nothing->kind == module::ProcessSample::Kind::seen);
    event.set_kind("EXIT");
    event.set_cpu_percent(0);
    event.set_fds(0);
    event.set_duration_ns(2'500'000'000);
    const auto some = process_sample(of(event));
    CHECK(some->kind == module::ProcessSample::Kind::ended);
    CHECK(some->cpu_percent == 0);
    CHECK(some->files == 0);
    CHECK(some->lifetime_s == 2.5);
}

TEST_CASE("a security observation is a suspicious sample and other events are none") {
    wire::Event event = gauge("d", origin, "m", 1);
    CHECK_FALSE(process_sample(event).has_value());
    CHECK_FALSE(flow_sample(event).has_value());
    event.kind = wire::EventKind::security;
    CHECK(process_sample(event)->kind == module::ProcessSample::Kind::suspicious);
}

TEST_CASE("a flow stands at its last packet and has the bytes with their headers where known") {
    auto flow = web(origin, origin + 5 * second);
    flow.set_bytes_sent(10);
    flow.set_bytes_recv(20);
    flow.set_ip_bytes_recv(60);
    flow.set_conn_state("REJ");
    flow.set_tcp_flags_sent(2);
    flow.set_part(2);
    const auto sample = *flow_sample(of(flow));
    CHECK(sample.time_ns == origin + 5 * second);
    CHECK(sample.start_ns == origin);
    CHECK(sample.bytes_sent == 10);
    CHECK(sample.bytes_recv == 60);
    CHECK(std::isnan(sample.packets_sent));
    CHECK(sample.source != sample.target);
    CHECK(sample.is_tcp);
    CHECK(sample.failed);
    CHECK(sample.only_syn);
    CHECK_FALSE(sample.begins);
    flow.set_tcp_flags_sent(2 | 16);
    flow.set_conn_state("SF");
    CHECK_FALSE(flow_sample(of(flow))->only_syn);
    CHECK_FALSE(flow_sample(of(flow))->failed);
}

TEST_CASE("heartbeats of the earlier system are counted and give no windows") {
    auto flow = web(origin, origin + second);
    auto event = of(flow);
    event.source = "legacy";
    int windows = 0;
    Engine engine({}, {.windows = {.partial = true}}, [&](auto&&...) { ++windows; });
    engine.observe(event, UINT64_MAX);
    engine.finish();
    CHECK(windows == 0);
    CHECK(engine.intake().counts().legacy == 1);
}

TEST_CASE(
    "metrics, processes and flows of a device share its windows, in whatever order they come") {
    struct Seen {
        UnixNanos start_ns;
        std::size_t metrics, processes, flows;
        bool operator==(const Seen&) const = default;
    };
    const auto run = [](Align align, bool backwards) {
        std::vector<messaging::ProcessEvent> processes(60, shell(5));
        std::vector<messaging::FlowEvent> flows;
        for (unsigned i = 0; i < 60; ++i)
            flows.push_back(web(origin + i * 10 * second, origin + (i * 10 + 7) * second));
        std::vector<wire::Event> events;
        for (unsigned i = 0; i < 60; ++i) {
            events.push_back(of(flows[i]));
            events.push_back(of(processes[i], origin + (i * 10 + 3) * second));
            events.push_back(gauge("d", origin + i * 10 * second, "m", i));
        }
        if (backwards)
            std::reverse(events.begin(), events.end());
        std::vector<Seen> seen;
        EngineOptions options;
        options.windows.align = align;
        options.lateness = backwards ? std::chrono::minutes(60) : std::chrono::minutes(1);
        Engine engine({}, options,
                      [&](std::uint32_t, const module::Window& window, const module::FeatureRow&) {
                          seen.push_back({window.start_ns, window.series.size(),
                                          window.processes.size(), window.flows.size()});
                      });
        for (const auto& event : events)
            engine.observe(event, UINT64_MAX);
        engine.finish();
        return seen;
    };
    for (const Align align : {Align::epoch, Align::first}) {
        const auto seen = run(align, false);
        REQUIRE(seen.size() > 17);
        CHECK(seen == run(align, true));
        // 1730000010 is a multiple of 30
        const Seen whole{origin + 30 * second, 1, 6, 6};
        CHECK(std::find(seen.begin(), seen.end(), whole) != seen.end());
    }
}

TEST_CASE("a device that has flows alone has windows and they are closed as it goes on") {
    int windows = 0, before_the_end = 0;
    EngineOptions options;
    options.lateness = std::chrono::seconds(0);
    Engine engine({}, options, [&](auto&&...) { ++windows; });
    for (unsigned i = 0; i < 1000; ++i) {
        const auto flow = web(origin + i * 10 * second, origin + i * 10 * second);
        engine.observe(of(flow), UINT64_MAX);
    }
    before_the_end = windows;
    engine.finish();
    CHECK(before_the_end > 300);
    CHECK(windows >= before_the_end);
}
