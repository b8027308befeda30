#include "core/base/text.h"
#include "modules/tools/inspect/test/support.h"
#include "modules/tools/inspect/top_source.h"

using namespace amoskys;
using namespace amoskys::modules::inspect;
using namespace amoskys::modules::inspect::test;

namespace {

TopSample sample(UnixNanos time_ns, double scale) {
    TopSample out;
    out.time_ns = time_ns;
    out.source = "log /s/wal";
    out.events = 1000 * scale;
    out.envelopes = 10 * scale;
    out.bytes = 4096 * scale;
    out.records = 50;
    out.log_bytes = 1 << 20;
    out.segments = 1;
    out.oldest_seconds = 12;
    out.lanes["edge-1/snmp"] = {static_cast<std::uint64_t>(8 * scale),
                                static_cast<std::uint64_t>(900 * scale)};
    out.lanes["edge-2/proc"] = {2, 100};
    out.lag["edge-1"] = 7;
    out.lag["edge-9"] = 3;
    out.cursors["siem/main"] = 5;
    out.rejected["bad_signature"] = scale;
    out.alerts.push_back({time_ns, "CRITICAL", "pump-1", "overheated \x1b[31m"});
    return out;
}

}  // namespace

TEST_CASE("top gives the rates between two samples, busiest agents first") {
    const auto before = sample(start_ns, 1), now = sample(start_ns + 2 * second_ns, 3);
    const Json top = top_json(&before, now);
    CHECK(top["events_per_s"] == 1000.0);
    CHECK(top["envelopes_per_s"] == 10.0);
    CHECK(top["bytes_per_s"] == 4096.0);
    REQUIRE(top["agents"].size() == 3);
    CHECK(top["agents"][0]["agent"] == "edge-1");
    CHECK(top["agents"][0]["events_per_s"] == 900.0);
    CHECK(top["agents"][0]["lag"] == 7);
    CHECK(top["agents"][1]["agent"] == "edge-9");
    CHECK(top["agents"][1]["lane"].is_null());
    CHECK(top["agents"][2]["events_per_s"] == 0.0);
    CHECK(top["rejected"][0]["per_s"] == 1.0);
    Json with_schema = {{"schema", "amoskys.top/1"}};
    with_schema.update(top);
    check_golden("top", with_schema);

    CHECK(top_json(nullptr, now)["events_per_s"] == 0.0);
    CHECK(top_json(&now, before)["events_per_s"] == 0.0);  // the counters began anew
}

TEST_CASE("top's screen keeps to the terminal and prints no device's control characters") {
    const auto now = sample(start_ns, 1);
    const Json top = top_json(nullptr, now);
    const auto screen = top_screen(top, 40, 8);
    std::size_t lines = 0;
    for (const auto line : split(screen, '\n')) {
        CHECK(line.size() <= 40 + std::string_view("\x1b[K").size());
        lines += line.empty() ? 0 : 1;
    }
    CHECK(lines == 7);
    CHECK(top_screen(top, 200, 100).find("\x1b[31m") == std::string::npos);
    CHECK(top_screen(top, 200, 100).find("siem/main") != std::string::npos);
    CHECK(top_line(top).ends_with(", 3 lanes, 1 alerts, ok\n"));
}

TEST_CASE("top says where alerts are not known, which is not that there are none") {
    TopSample sample;
    sample.alerts_note = "may not subscribe";
    const auto top = top_json(nullptr, sample);
    CHECK(top["alerts_note"] == "may not subscribe");
    CHECK(top_line(top).ends_with(", 0 lanes, alerts unknown, ok\n"));
    CHECK(top_screen(top, 200, 100).find("ALERTS are not known: may not subscribe") !=
          std::string::npos);
}

TEST_CASE("top of a log knows its lanes and its newest alerts") {
    State state;
    SampleLog(state).close();
    TopOptions options;
    options.count = 1;
    const Outcome top = state.run(modules::inspect::top, options);
    REQUIRE_FALSE(top.error.has_value());
    CHECK(top.json["records"] == 5);
    REQUIRE(top.json["agents"].size() == 1);
    CHECK(top.json["agents"][0]["lane"] == "snmp");
    options.count = 2;
    options.every = std::chrono::milliseconds(1);
    const Outcome lines = state.run(modules::inspect::top, options, OutputFormat::ndjson);
    CHECK(std::ranges::count(lines.text, '\n') == 2);
    options.log = "x";
    options.bus = "127.0.0.1:1";
    CHECK(state.run(modules::inspect::top, options).error->kind == ErrorKind::usage);
}

TEST_CASE("top reads a bus's metrics") {
    messaging::MetricsResponse answer;
    answer.set_collection_timestamp_ns(start_ns);
    const auto add = [&](const std::string& name, double value, const std::string& label = "",
                         const std::string& text = "") {
        auto& series = *answer.add_metrics();
        series.set_metric_name("amoskys_bus_" + name);
        if (!label.empty())
            (*series.mutable_labels())[label] = text;
        series.add_data_points()->set_value(value);
    };
    add("accepted_events_total", 500);
    add("log_records", 20);
    add("agent_lag_envelopes", 4, "agent", "edge-1");
    add("cursor_lag_records", 6, "cursor", "siem/main");
    add("rejected_envelopes_total", 2, "reason", "bad_signature");
    add("publish_ack_seconds_bucket", 90, "le", "0.001");
    add("publish_ack_seconds_bucket", 100, "le", "0.002");
    add("publish_ack_seconds_bucket", 100, "le", "+Inf");
    TopSample out;
    read_metrics(answer, out);
    CHECK(out.time_ns == start_ns);
    CHECK(out.events == 500);
    CHECK(out.records == 20);
    CHECK(out.lag["edge-1"] == 4);
    CHECK(out.cursors["siem/main"] == 6);
    CHECK(out.rejected["bad_signature"] == 2);
    REQUIRE(out.ack_p99_ms);
    CHECK(*out.ack_p99_ms == Approx(1.9));
}
