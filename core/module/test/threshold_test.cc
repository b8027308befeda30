#include "core/module/threshold.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "core/base/test/temp_folder.h"
#include "core/module/counter_rate.h"
#include "core/module/host_config.h"

using namespace amoskys;
using namespace amoskys::module;

namespace {

constexpr UnixNanos second = 1'000'000'000;

struct Row {
    std::string metric, index;
    double value;
    std::string descr = {};
};

messaging::DeviceTelemetry record(UnixNanos at, const std::vector<Row>& rows) {
    messaging::DeviceTelemetry out;
    out.set_device_id("box");
    out.set_timestamp_ns(at);
    for (const Row& row : rows) {
        auto& event = *out.add_events();
        event.set_event_type("METRIC");
        auto& data = *event.mutable_metric_data();
        data.set_metric_name(row.metric);
        data.set_index(row.index);
        data.set_numeric_value(row.value);
        data.set_value_kind(messaging::MetricData::NUMERIC);
        if (!row.descr.empty())
            (*data.mutable_labels())["hrStorageDescr"] = row.descr;
    }
    return out;
}

std::vector<messaging::TelemetryEvent> alarms(Thresholds& engine, UnixNanos at,
                                              const std::vector<Row>& rows) {
    auto telemetry = record(at, rows);
    engine.apply(telemetry);
    std::vector<messaging::TelemetryEvent> out;
    for (const auto& event : telemetry.events())
        if (event.has_alarm_data())
            out.push_back(event);
    return out;
}

Thresholds engine_of(std::vector<std::string> rules) {
    auto engine = make_thresholds(rules);
    INFO((engine ? "" : engine.error().message));
    REQUIRE(engine.has_value());
    return std::move(*engine);
}

// "WARN 90 >= 85", "INFO cleared", one per alarm.
std::string levels(Thresholds& engine, const std::vector<double>& values) {
    std::string out;
    UnixNanos at = second;
    for (const double value : values) {
        const auto raised = alarms(engine, at += second, {{"load", "", value}});
        out += raised.empty()                                ? '-'
               : raised[0].alarm_data().state() == "CLEARED" ? '0'
                                                             : raised[0].severity()[0];
    }
    return out;
}

}  // namespace

TEST_CASE("an alarm begins at its limit, stays within the hysteresis, and ends once") {
    auto engine = engine_of({"load: load >= 8/16 clear 6"});
    CHECK(levels(engine, {1, 8, 9, 7, 6.5, 16, 20, 15, 7, 6, 5, 8}) == "-W---C-W-0-W");
}

TEST_CASE("without a clear value it ends back within the limit") {
    auto engine = engine_of({"load: load > 8"});
    CHECK(levels(engine, {8, 8.1, 8, 9, 9}) == "-W0W-");
}

TEST_CASE("below is symmetric, and samples in a row are counted anew after a good one") {
    auto engine = engine_of({"low: load < 10/5 clear 15 for 2"});
    CHECK(levels(engine, {9, 20, 9, 9, 4, 4, 12, 15}) == "---W-C-0");
}

TEST_CASE("percentages are of the same row, and only of rows whose label fits") {
    auto engine =
        engine_of({"disk: percent(used of size) where hrStorageDescr=/* >= 85/95 clear 80"});
    const auto raised = alarms(engine, second,
                               {{"used", "1", 90, "/var"},
                                {"size", "1", 100, "/var"},
                                {"used", "2", 99, "Cached memory"},
                                {"size", "2", 100, "Cached memory"},
                                {"used", "3", 99, "/"},
                                {"size", "3", 0, "/"},
                                {"used", "4", 99, "/x"}});
    REQUIRE(raised.size() == 1);
    const auto& alarm = raised[0].alarm_data();
    CHECK(raised[0].severity() == "WARN");
    CHECK(raised[0].event_type() == "ALARM");
    CHECK(alarm.alarm_id() == "box/disk/1");
    CHECK(alarm.current_value() == 90);
    CHECK(alarm.threshold_value() == 85);
    CHECK(alarm.threshold_operator() == ">=");
    CHECK(alarm.state() == "ACTIVE");
    CHECK(alarm.description() == "percent(used of size) is 90 (>= 85), hrStorageDescr /var");
    CHECK(raised[0].attributes().at("index") == "1");
    const auto cleared =
        alarms(engine, 5 * second, {{"used", "1", 70, "/var"}, {"size", "1", 100, "/var"}});
    REQUIRE(cleared.size() == 1);
    CHECK(cleared[0].alarm_data().state() == "CLEARED");
    CHECK(cleared[0].alarm_data().alarm_time_ns() == second);
    CHECK(cleared[0].alarm_data().clear_time_ns() == 5 * second);
    CHECK(engine.active() == 0);
}

TEST_CASE("used is what is not free") {
    auto engine = engine_of({"m: used(free of whole) > 90"});
    CHECK(alarms(engine, second, {{"free", "", 20}, {"whole", "", 100}}).empty());
    CHECK(alarms(engine, second, {{"free", "", 5}, {"whole", "", 100}}).size() == 1);
}

TEST_CASE("rates come from two readings, and from none across a decrease") {
    auto engine = engine_of({"e: rate(errors) > 1"});
    const auto at = [&](std::uint64_t time, double value) {
        return alarms(engine, time * second, {{"errors", "2", value}}).size();
    };
    CHECK(at(10, 1'000'000) == 0);
    CHECK(at(20, 1'000'005) == 0);
    CHECK(at(30, 1'000'105) == 1);
    CHECK(at(40, 3) == 0);
    CHECK(at(40, 500) == 0);
    CHECK(at(50, 501) == 1);  // ends
    CHECK(engine.active() == 0);
}

TEST_CASE("what is followed is bounded, and the rest is counted") {
    auto engine = engine_of({"e: rate(errors) > 1"});
    std::vector<Row> rows;
    for (std::size_t i = 0; i < Thresholds::max_tracked + 7; ++i)
        rows.push_back({"errors", std::to_string(i), 1});
    alarms(engine, second, rows);
    CHECK(engine.untracked() == 7);
}

TEST_CASE("an alarm goes on across a restart, and ends once") {
    const std::vector<std::string> rules{"hot: temperature > 80/90 clear 70"};
    const TempFolder folder;
    const AlarmMemory memory(folder.path / "alarms.json");
    CHECK(memory.load()->empty());
    auto before = engine_of(rules);
    CHECK(alarms(before, second, {{"temperature", "a\xff", 95}, {"temperature", "b", 85}}).size() ==
          2);
    REQUIRE(memory.save(before.alarms()));

    auto after = engine_of(rules);
    for (const ActiveAlarm& each : *memory.load())
        CHECK(after.take_up(each));
    CHECK(after.active() == 2);
    CHECK(alarms(after, 2 * second, {{"temperature", "a\xff", 95}, {"temperature", "b", 75}})
              .empty());
    const auto ended = alarms(after, 3 * second, {{"temperature", "a\xff", 60}});
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].alarm_data().state() == "CLEARED");
    CHECK(ended[0].alarm_data().alarm_time_ns() == second);
    CHECK(after.alarms().size() == 1);

    auto other = engine_of({"cold: temperature < 5"});
    CHECK_FALSE(other.take_up(before.alarms().front()));
}

TEST_CASE("a damaged memory of alarms is refused") {
    const TempFolder folder;
    const auto file = folder.path / "alarms.json";
    const AlarmMemory memory(file);
    for (
        const char* text :
        {"", "{", "[]", R"({"schema":"amoskys.alarms/1"})",
         R"({"schema":"amoskys.alarms/1","alarms":[{"rule":"aG90"}]})",
         R"({"schema":"amoskys.alarms/1","alarms":[{"rule":"!","device":"","index":"","critical":true,"since_ns":1}]})"}) {
        std::ofstream(file, std::ios::trunc) << text;
        const auto read = memory.load();
        INFO(text);
        REQUIRE(read.has_error());
        CHECK(read.error().kind == ErrorKind::bad_data);
    }
}

TEST_CASE("wrong rules are refused with what is allowed") {
    for (const char* rule :
         {"load > 8", ": load > 8", "a b: load > 8", "x: load 8", "x: load > many", "x: load > 8/7",
          "x: load > 8 clear 9", "x: load < 8 clear 7", "x: load > 8 for 0", "x: load > 8 for",
          "x: load > 8 now", "x: percent(a) > 8", "x: rate(a of b) > 8", "x: sum(a of b) > 8",
          "x: load where a > 8", "x: load > inf", "x: load > 1/2/3", ""}) {
        INFO(rule);
        const auto parsed = parse_threshold(rule);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error().kind == ErrorKind::config);
        CHECK(parsed.error().message.starts_with("agent.thresholds: "));
    }
    CHECK_FALSE(make_thresholds({"x: a > 1", "x: b > 1"}).has_value());
    CHECK(make_thresholds(AgentConfig().thresholds).has_value());
}

TEST_CASE("a decrease is a wrap only where one is possible") {
    const auto narrow = [](std::uint64_t value) { return CounterReading{value, false}; };
    const auto wide = [](std::uint64_t value) { return CounterReading{value, true}; };
    CHECK(counter_rate(wide(100), wide(700), 60, false) == 10.0);
    CHECK_FALSE(counter_rate(wide(100), wide(700), 60, true));
    CHECK_FALSE(counter_rate(wide(700), wide(100), 60, false));
    CHECK_FALSE(counter_rate(wide(100), narrow(700), 60, false));
    CHECK_FALSE(counter_rate(wide(100), wide(700), 0, false));
    // 4294967000 -> 304: 600 octets in 60 s.
    CHECK(counter_rate(narrow(4'294'967'000U), narrow(304), 60, false) == 10.0);
    CHECK_FALSE(counter_rate(narrow(4'294'967'000U), narrow(304), 60, true));
    // 3,000,000 -> 5: a wrap would be 71 MB/s; at 100 Mbit/s that cannot be.
    CHECK_FALSE(counter_rate(narrow(3'000'000), narrow(5), 60, false, 12.5e6));
    CHECK(counter_rate(narrow(3'000'000), narrow(5), 60, false, 125e6));
    CHECK_FALSE(counter_rate(narrow(3'000'000), narrow(5), 60, false));
    CHECK_FALSE(counter_rate(wide(0), wide(1'000'000'000'000), 1, false, 125e6));
}
