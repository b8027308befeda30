#include "modules/collectors/replay/collector.h"

#include <unistd.h>

#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "core/base/test/temp_folder.h"
#include "core/module/test/recording_emitter.h"

namespace amoskys::modules {
extern const module::ModuleInfo replay_module;
}
using namespace amoskys;
using namespace amoskys::replay;

namespace {

Result<> replay_files(std::vector<std::string> files, module::RecordingEmitter& emitter,
                      ReplayConfig config = {}) {
    const FakeClock clock(1);
    metrics::Registry metrics;
    config.files = std::move(files);
    return module::run_once(modules::replay_module, std::make_shared<ReplayConfig>(config), clock,
                            metrics, emitter);
}

const std::string good =
    "device_id,ts_ns,cpu,mem\nd1,1730000000000000000,1,2\nd2,1730000000000000000,3,\n";

}  // namespace

TEST_CASE("consecutive rows of one device and time make one record") {
    const TempFolder folder;
    module::RecordingEmitter emitter;
    ReplayConfig config;
    config.device_type = "NETWORK";
    const auto file = folder.write("a.csv",
                                   "device,time,metric,value\nd,1763683200,a,1\nd,1763683200,b,2\n"
                                   "e,1763683200,a,3\ne,1763683201,a,4\n");
    REQUIRE(replay_files({file}, emitter, config).has_value());
    REQUIRE(emitter.records.size() == 3);
    const auto& record = emitter.records[0];
    CHECK(record.device_id() == "d");
    CHECK(record.device_type() == "NETWORK");
    CHECK(record.collection_agent() == "replay");
    CHECK(record.timestamp_ns() == 1763683200'000000000);
    CHECK(record.events_size() == 2);
    CHECK(record.batch_size() == 2);
    CHECK(record.events(1).metric_data().numeric_value() == 2);
    CHECK(record.events(1).metric_data().value_kind() == messaging::MetricData::NUMERIC);
    CHECK(emitter.flushes == 1);
}

TEST_CASE("the rest of the process gets its turn while a file is published") {
    const TempFolder folder;
    std::string rows = "device_id,ts_ns,cpu\n";
    for (int i = 0; i < 1600; ++i)
        rows += "d1," + std::to_string(1'730'000'000'000'000'000 + i) + ",1\n";
    ReplayConfig config;
    config.files = {folder.write("a.csv", rows)};
    const FakeClock clock(1);
    metrics::Registry metrics;
    io::asio::io_context io;
    const auto collector = modules::replay_module.make_collector(
        {io, clock, metrics, std::make_shared<ReplayConfig>(config), true, "box"});
    REQUIRE(collector.has_value());
    module::RecordingEmitter emitter;
    bool done = false;
    std::size_t turns = 0, last_records = 0;
    std::function<void()> other = [&] {
        if (emitter.records.size() != last_records)
            ++turns;  // some were published since the last turn
        last_records = emitter.records.size();
        if (!done)
            io::asio::post(io, other);
    };
    auto task = (*collector)->run(emitter);
    io::asio::co_spawn(io, std::move(task), [&](std::exception_ptr, Result<> result) {
        CHECK(result.has_value());
        done = true;
    });
    io::asio::post(io, other);
    io.run();
    CHECK(emitter.records.size() == 1600);
    CHECK(turns >= 50);
}

TEST_CASE("a fault in the last file publishes nothing of the first") {
    const TempFolder folder;
    module::RecordingEmitter emitter;
    const auto first = folder.write("a.csv", good),
               second = folder.write("b.csv", good + "d1,oops,1,2\n");
    const auto result = replay_files({first, second}, emitter);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().kind == ErrorKind::bad_data);
    CHECK(result.error().message.find("b.csv:4:4: time \"oops\"") != std::string::npos);
    CHECK(emitter.records.empty());
    CHECK(emitter.flushes == 0);
}

TEST_CASE("files that are not there, folders and no file at all are refused") {
    const TempFolder folder;
    module::RecordingEmitter emitter;
    CHECK(replay_files({folder.path / "none.csv"}, emitter).error().kind == ErrorKind::no_input);
    CHECK(replay_files({folder.path}, emitter).error().kind == ErrorKind::no_input);
    CHECK(replay_files({}, emitter).error().kind == ErrorKind::usage);
    CHECK(replay_files({"-", "-"}, emitter).error().kind == ErrorKind::usage);
}

TEST_CASE("a pipe on stdin is copied first and replayed whole") {
    module::RecordingEmitter emitter;
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    REQUIRE(::write(ends[1], good.data(), good.size()) == static_cast<ssize_t>(good.size()));
    ::close(ends[1]);
    const int saved = ::dup(STDIN_FILENO);
    REQUIRE(::dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
    const auto result = replay_files({"-"}, emitter);
    ::dup2(saved, STDIN_FILENO);
    ::close(saved);
    ::close(ends[0]);
    REQUIRE(result.has_value());
    CHECK(emitter.records.size() == 2);
}

TEST_CASE("a record is split where it has too many values") {
    const TempFolder folder;
    module::RecordingEmitter emitter;
    std::string text = "device,time,metric,value\n";
    for (int i = 0; i < 2500; ++i)
        text += "d,1763683200,m" + std::to_string(i) + "," + std::to_string(i) + "\n";
    REQUIRE(replay_files({folder.write("a.csv", text)}, emitter).has_value());
    int values = 0;
    for (const auto& record : emitter.records) {
        CHECK(record.ByteSizeLong() < 100'000);
        values += record.events_size();
    }
    CHECK(values == 2500);
    CHECK(emitter.records.size() >= 3);
}

TEST_CASE("files without a row are refused, and nothing is published") {
    const TempFolder folder;
    module::RecordingEmitter emitter;
    metrics::Registry metrics;
    const auto replay = [&](std::vector<std::string> files) {
        ReplayConfig config;
        config.files = std::move(files);
        return module::run_once(modules::replay_module, std::make_shared<ReplayConfig>(config),
                                system_clock(), metrics, emitter);
    };
    const std::string head = folder.write("head.csv", "device_id,ts_ns,a\n");
    const std::string missing =
        folder.write("missing.csv", "device_id,ts_ns,a\nd,1730000000000000000,\n");
    const auto refused = replay({head, missing});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind == ErrorKind::bad_data);
    CHECK(refused.error().message ==
          head + ", " + missing + ": no row with a value, nothing to publish");
    CHECK(emitter.records.empty());
    const std::string one = folder.write("one.csv", "device_id,ts_ns,a\nd,1730000000000000000,1\n");
    CHECK(replay({head, one}).has_value());
    CHECK(emitter.records.size() == 1);
}

TEST_CASE("recorded pace waits as long as the rows are apart") {
    const TempFolder folder;
    module::RecordingEmitter emitter;
    ReplayConfig config;
    config.pace = "recorded";
    config.files = {folder.write("a.csv",
                                 "device,ts_ns,a\nd,1730000000000000000,1\n"
                                 "d,1730000000040000000,2\nd,1730000000030000000,3\n")};
    metrics::Registry metrics;
    const auto began = std::chrono::steady_clock::now();
    REQUIRE(module::run_once(modules::replay_module, std::make_shared<ReplayConfig>(config),
                             system_clock(), metrics, emitter)
                .has_value());
    CHECK(std::chrono::steady_clock::now() - began >= std::chrono::milliseconds(40));
    CHECK(emitter.records.size() == 3);
}

TEST_CASE("100,000 cells are decoded without loss") {
    const TempFolder folder;
    std::string text = "device_id,ts_ns";
    for (int metric = 0; metric < 29; ++metric)
        text += ",m" + std::to_string(metric);
    text += "\n";
    for (int row = 0; row < 4000; ++row) {
        text += "device_" + std::to_string(row % 50) + "," +
                std::to_string(1'730'000'000'000'000'000 + row);
        for (int metric = 0; metric < 29; ++metric)
            text += metric == row % 29 ? "," : "," + std::to_string(row * 0.37 + metric);
        text += "\n";
    }
    module::RecordingEmitter emitter;
    REQUIRE(replay_files({folder.write("wide.csv", text)}, emitter).has_value());
    REQUIRE(emitter.records.size() == 4000);
    for (const auto& record : emitter.records)
        REQUIRE(record.events_size() == 28);
    CHECK(emitter.records[10].events(0).metric_data().numeric_value() == Approx(3.7));
}
