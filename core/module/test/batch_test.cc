#include "core/module/batch.h"

#include <stdlib.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <catch2/catch.hpp>

#include "core/base/file.h"

using namespace amoskys;

namespace {

struct Fixture {
    Fixture() {
        char name[] = "/tmp/amoskys-batch-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        folder = name;
        auto opened = module::Spool::open(
            io, {.folder = folder,
                 .agent_id = "edge-1",
                 .lane = "test",
                 .key = std::make_shared<const crypto::SigningKey>(crypto::SigningKey::generate()),
                 .clock = &clock});
        REQUIRE(opened.has_value());
        spool = std::move(*opened);
        emitter = std::make_unique<module::BatchEmitter>(
            *spool, module::BatchLimits{.max_bytes = 4000}, clock, metrics, "test",
            [this]() -> Result<module::Spool*> {
                ++urgent_opened;
                return urgent.get();
            });
    }
    ~Fixture() {
        emitter.reset();
        spool.reset();
        urgent.reset();
        fs::remove_all(folder);
    }
    Result<> run(io::Task<Result<>> task) {
        std::optional<Result<>> outcome;
        io::asio::co_spawn(io, std::move(task),
                           [&outcome](const std::exception_ptr& failed, Result<> result) {
                               CHECK(failed == nullptr);
                               outcome = std::move(result);
                           });
        while (!outcome)
            io.run_one();
        return *outcome;
    }
    double sample(const std::string& name) {
        for (const auto& entry : metrics.samples())
            if (entry.name == name)
                return entry.value;
        return -1;
    }
    void open_urgent() {
        auto opened = module::Spool::open(
            io, {.folder = folder / "urgent",
                 .agent_id = "edge-1",
                 .lane = "test-urgent",
                 .key = std::make_shared<const crypto::SigningKey>(crypto::SigningKey::generate()),
                 .clock = &clock});
        REQUIRE(opened.has_value());
        urgent = std::move(*opened);
    }
    std::vector<messaging::TelemetryBatch> stored() { return stored(*spool); }
    // What is in a spool, in order.
    static std::vector<messaging::TelemetryBatch> stored(module::Spool& of) {
        std::vector<messaging::TelemetryBatch> out;
        SeqNo after;
        for (;;) {
            auto item = of.next(after);
            REQUIRE(item.has_value());
            if (!item->has_value())
                return out;
            messaging::UniversalEnvelope envelope;
            REQUIRE(envelope.ParseFromString((*item)->envelope));
            out.push_back(envelope.telemetry_batch());
            after = (*item)->sequence;
        }
    }

    fs::path folder;
    FakeClock clock{1'764'821'328'902'984'000ULL};
    io::asio::io_context io;
    io::asio::executor_work_guard<io::asio::io_context::executor_type> work{io.get_executor()};
    metrics::Registry metrics;
    std::unique_ptr<module::Spool> spool;
    std::unique_ptr<module::Spool> urgent;
    std::unique_ptr<module::BatchEmitter> emitter;
    int urgent_opened = 0;
};

messaging::DeviceTelemetry record_of(int events, std::size_t text_bytes) {
    messaging::DeviceTelemetry record;
    record.set_device_id("switch-1");
    record.set_timestamp_ns(7);
    for (int i = 0; i < events; ++i) {
        messaging::MetricData& metric = *record.add_events()->mutable_metric_data();
        metric.set_metric_name("m" + std::to_string(i));
        metric.set_string_value(std::string(text_bytes, 'x'));
    }
    return record;
}

}  // namespace

TEST_CASE("a record that is larger than a batch is split, with all its events in order") {
    Fixture f;
    io::Task<Result<>> emit = f.emitter->emit(record_of(100, 200));
    REQUIRE(f.run(std::move(emit)).has_value());
    io::Task<Result<>> flush = f.emitter->flush();
    REQUIRE(f.run(std::move(flush)).has_value());
    int events = 0;
    for (const auto& batch : f.stored()) {
        CHECK(batch.ByteSizeLong() <= 4000 + 16);
        std::uint64_t in_batch = 0;
        for (const auto& record : batch.telemetry_records()) {
            CHECK(record.device_id() == "switch-1");
            CHECK(record.timestamp_ns() == 7);
            for (const auto& event : record.events()) {
                CHECK(event.metric_data().metric_name() == "m" + std::to_string(events));
                ++events;
                ++in_batch;
            }
        }
        CHECK(batch.total_events() == in_batch);
    }
    CHECK(events == 100);
    CHECK(f.sample("amoskys_agent_loss_alert") == 0);
}

TEST_CASE("small records share one envelope, processes of a device have one of their own") {
    Fixture f;
    for (int i = 0; i < 3; ++i) {
        io::Task<Result<>> emit = f.emitter->emit(record_of(1, 10));
        REQUIRE(f.run(std::move(emit)).has_value());
    }
    std::vector<messaging::ProcessEvent> processes(2);
    io::Task<Result<>> emit = f.emitter->emit(std::string("host-1"), std::move(processes));
    REQUIRE(f.run(std::move(emit)).has_value());
    io::Task<Result<>> flush = f.emitter->flush();
    REQUIRE(f.run(std::move(flush)).has_value());
    const auto stored = f.stored();
    REQUIRE(stored.size() == 2);
    CHECK(stored[0].telemetry_records_size() == 3);
    CHECK(stored[1].processes_size() == 2);
    CHECK(stored[1].device_id() == "host-1");
}

TEST_CASE("an event that fits no envelope is an error and raises the loss alert") {
    Fixture f;
    io::Task<Result<>> emit = f.emitter->emit(record_of(1, 5000));
    const Result<> refused = f.run(std::move(emit));
    REQUIRE(refused.has_error());
    CHECK(refused.error().code == "event_too_large");
    CHECK(f.sample("amoskys_agent_loss_alert") == 1);
    CHECK(f.sample("amoskys_agent_stored_ratio") < 0.9);
}

TEST_CASE("alarms and critical events leave their record for the urgent lane, signed at once") {
    Fixture f;
    f.open_urgent();
    messaging::DeviceTelemetry record = record_of(4, 10);
    record.set_device_id("router-1");
    record.mutable_events(1)->set_event_type("ALARM");
    record.mutable_events(3)->set_severity("CRITICAL");
    REQUIRE(f.run(f.emitter->emit(record)).has_value());
    while (f.urgent->position().last.value < 1)
        f.io.run_one();
    const auto urgent = Fixture::stored(*f.urgent);
    REQUIRE(urgent.size() == 1);
    REQUIRE(urgent[0].telemetry_records_size() == 1);
    CHECK(urgent[0].telemetry_records(0).device_id() == "router-1");
    CHECK(urgent[0].telemetry_records(0).events_size() == 2);
    CHECK(urgent[0].total_events() == 2);
    CHECK(f.stored().empty());  // the others wait for their batch
    REQUIRE(f.run(f.emitter->flush()).has_value());
    REQUIRE(f.stored().size() == 1);
    CHECK(f.stored()[0].telemetry_records(0).events_size() == 2);
    CHECK(f.sample("amoskys_agent_urgent_events_total") == 2);
    CHECK(f.sample("amoskys_agent_events_total") == 4);

    const auto item = f.urgent->next({0});
    messaging::UniversalEnvelope envelope;
    REQUIRE(envelope.ParseFromString((*item)->envelope));
    CHECK(envelope.priority() == "URGENT");
    CHECK(envelope.lane() == "test-urgent");
}

TEST_CASE("the urgent lane is not opened where nothing is urgent") {
    Fixture f;
    REQUIRE(f.run(f.emitter->emit(record_of(4, 10))).has_value());
    REQUIRE(f.run(f.emitter->flush()).has_value());
    CHECK(f.urgent_opened == 0);
}
