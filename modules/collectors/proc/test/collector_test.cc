#include "modules/collectors/proc/collector.h"

#include <catch2/catch.hpp>
#include <map>

#include "core/module/test/recording_emitter.h"
#include "modules/collectors/proc/test/fake_proc.h"

namespace amoskys::modules {
extern const module::ModuleInfo proc_module;
}
using namespace amoskys;
using namespace amoskys::proc;
using namespace std::string_literals;

namespace {

std::shared_ptr<ProcConfig> config_for(const FakeProc& fake) {
    auto config = std::make_shared<ProcConfig>();
    config->proc_root = fake.root;
    config->sys_root = fake.root / "sys";
    config->passwd = fake.root / "passwd";
    config->group = fake.root / "group";
    config->first_sample = std::chrono::nanoseconds(0);
    return config;
}

}  // namespace

TEST_CASE("one cycle emits every process and one record of the host") {
    FakeProc fake;
    for (unsigned pid = 1; pid <= 50; ++pid)
        fake.process(pid, "p", 10, 20, "p\0-x\0"s);
    fake.write("loadavg", "0.1 0.2 0.3 1/2 3\n");
    const FakeClock clock(2'000'000'000'000);
    metrics::Registry metrics;
    module::RecordingEmitter emitter;
    REQUIRE(module::run_once(modules::proc_module, config_for(fake), clock, metrics, emitter)
                .has_value());
    std::size_t processes = 0;
    for (const auto& chunk : emitter.chunks)
        for (const auto& event : chunk) {
            ++processes;
            CHECK(event.kind() == "SNAPSHOT");
        }
    CHECK(processes == 50);
    CHECK(emitter.devices.front() == "box");
    REQUIRE(emitter.records.size() == 1);
    const auto& record = emitter.records[0];
    CHECK(record.protocol() == "PROC");
    CHECK(record.device_type() == "ENDPOINT");
    CHECK(record.collection_agent() == "proc");
    CHECK(record.timestamp_ns() == 2'000'000'000'000);
    CHECK(record.events_size() > 3);
    CHECK(emitter.flushes == 1);
}

TEST_CASE("a chunk stays below 100 KB with the longest command lines") {
    FakeProc fake;
    for (unsigned pid = 1; pid <= 20; ++pid)
        fake.process(pid, "long", 10, 20, std::string(200'000, pid % 2 == 0 ? 'x' : '\xff'));
    const FakeClock clock(2'000'000'000'000);
    metrics::Registry metrics;
    module::RecordingEmitter emitter;
    REQUIRE(module::run_once(modules::proc_module, config_for(fake), clock, metrics, emitter)
                .has_value());
    std::size_t processes = 0;
    for (const auto& chunk : emitter.chunks) {
        messaging::TelemetryBatch batch;
        for (const auto& event : chunk)
            *batch.add_processes() = event;
        CHECK(batch.ByteSizeLong() < 100'000);
        processes += chunk.size();
    }
    CHECK(processes == 20);
}

TEST_CASE("processes over max_processes are counted, not forgotten") {
    FakeProc fake;
    for (unsigned pid = 1; pid <= 10; ++pid)
        fake.process(pid, "p", 10, 20, "p");
    auto config = config_for(fake);
    config->max_processes = 4;
    config->host_metrics = false;
    const FakeClock clock(1);
    metrics::Registry metrics;
    module::RecordingEmitter emitter;
    REQUIRE(module::run_once(modules::proc_module, config, clock, metrics, emitter).has_value());
    REQUIRE(emitter.chunks.size() == 1);
    CHECK(emitter.chunks[0].size() == 4);
    CHECK(emitter.records.empty());
    bool counted = false;
    for (const auto& sample : metrics.samples())
        counted =
            counted || (sample.name == "amoskys_proc_skipped_processes_total" && sample.value == 6);
    CHECK(counted);
}

TEST_CASE("a root without processes, or none at all, is an error that names it") {
    FakeProc fake;
    const FakeClock clock(1);
    metrics::Registry metrics;
    module::RecordingEmitter emitter;
    auto result = module::run_once(modules::proc_module, config_for(fake), clock, metrics, emitter);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().kind == ErrorKind::unavailable);
    auto config = config_for(fake);
    config->proc_root = "/nonexistent/proc";
    result = module::run_once(modules::proc_module, config, clock, metrics, emitter);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().message.find("/nonexistent/proc") != std::string::npos);
    config->proc_root = "/proc";
    config->fields = {"exe", "fd"};
    result = module::run_once(modules::proc_module, config, clock, metrics, emitter);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().kind == ErrorKind::config);
}

TEST_CASE("the live host has this test among its processes, with a CPU share in the first scan") {
    auto config = std::make_shared<ProcConfig>();
    config->first_sample = std::chrono::milliseconds(20);
    metrics::Registry metrics;
    module::RecordingEmitter emitter;
    REQUIRE(module::run_once(modules::proc_module, config, system_clock(), metrics, emitter)
                .has_value());
    bool found = false;
    for (const auto& chunk : emitter.chunks)
        for (const auto& event : chunk)
            if (event.pid() == static_cast<std::uint64_t>(::getpid())) {
                found = true;
                CHECK(event.has_cpu_percent());
            }
    CHECK(found);
    REQUIRE_FALSE(emitter.records.empty());  // before it perhaps security observations
    bool load = false;
    for (const auto& event : emitter.records.back().events())
        load = load || event.metric_data().metric_name() == "laLoad1";
    CHECK(load);
}
