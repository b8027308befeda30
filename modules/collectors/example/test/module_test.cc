#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "core/module/test/recording_emitter.h"

namespace amoskys::modules {
extern const module::ModuleInfo example_module;
}
using namespace amoskys;

namespace {

std::shared_ptr<void> config_with(const std::string& file) {
    auto config = modules::example_module.make_config();
    for (const auto& option : modules::example_module.options)
        if (option.name == "file")
            REQUIRE(option.assign(option, config.get(), file).has_value());
    return config;
}

}  // namespace

TEST_CASE("one cycle emits one record with three values of this host") {
    const FakeClock clock(1'700'000'000'000'000'000);
    metrics::Registry metrics;
    module::RecordingEmitter emitter;
    const auto config = modules::example_module.make_config();
    REQUIRE(module::run_once(modules::example_module, config, clock, metrics, emitter).has_value());
    REQUIRE(emitter.records.size() == 1);
    CHECK(emitter.flushes == 1);
    const auto& record = emitter.records[0];
    CHECK(record.device_id() == "box");
    CHECK(record.timestamp_ns() == 1'700'000'000'000'000'000);
    REQUIRE(record.events_size() == 3);
    CHECK(record.events(2).metric_data().metric_name() == "laLoad15");
}

TEST_CASE("one cycle without a readable file is unavailable and emits nothing") {
    const FakeClock clock(1);
    metrics::Registry metrics;
    module::RecordingEmitter emitter;
    const auto result = module::run_once(
        modules::example_module, config_with("/nonexistent/loadavg"), clock, metrics, emitter);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().kind == ErrorKind::unavailable);
    CHECK(emitter.records.empty());
}
