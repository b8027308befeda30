#include "core/wire/event.h"

#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "core/base/text.h"
#include "core/wire/audit.h"
#include "core/wire/builder.h"
#include "core/wire/test/test_key.h"

using namespace amoskys;
using namespace amoskys::wire;
using amoskys::wire::test::test_key;

namespace {

constexpr UnixNanos ts = 1764821328902984000;

std::string envelope(PayloadKind kind, const std::string& payload, std::string lane = "snmp") {
    EnvelopeBuilder builder("edge-1", std::move(lane), test_key(), {Epoch{5}, {}, {}});
    BuildRequest request;
    request.kind = kind;
    request.payload = as_bytes(payload);
    request.ts_ns = ts;
    return *builder.build(request);
}

struct Decoded {
    std::vector<std::string> rows;  // event_json as text
    DecodeCounts counts;
};

Decoded decode(RecordKind kind, std::string_view stored, std::uint64_t offset = 0) {
    Decoded out;
    EventDecoder decoder;
    decoder.decode(kind, as_bytes(stored), offset, [&](const Event& event) {
        out.rows.push_back(event_json(event).dump(-1, ' ', false, Json::error_handler_t::replace));
        return true;
    });
    out.counts = decoder.counts();
    return out;
}

messaging::DeviceTelemetry record() {
    messaging::DeviceTelemetry out;
    out.set_device_id("router-1");
    out.set_timestamp_ns(ts - 1000);
    out.set_collection_agent("snmp");
    auto* metric = out.add_events()->mutable_metric_data();
    metric->set_metric_name("ifHCInOctets");
    metric->set_metric_type("COUNTER");
    metric->set_numeric_value(18446744073709551615.0);
    metric->set_counter_value(18446744073709551615ULL);
    metric->set_unit("bytes");
    metric->set_index("2");
    (*metric->mutable_labels())["source"] = "snmp";
    (*metric->mutable_labels())["ifName"] = "eth0";
    return out;
}

}  // namespace

TEST_CASE("event row of a metric has the keys and values of the event noun") {
    const auto out = decode(RecordKind::universal,
                            envelope(PayloadKind::device, record().SerializeAsString()), 12);
    REQUIRE(out.rows.size() == 1);
    CHECK(out.rows[0] ==
          R"({"device":"router-1","time":"2025-12-04T04:08:48.902983000Z","source":"snmp",)"
          R"("kind":"metric","severity":"INFO","metric":"ifHCInOctets","type":"COUNTER",)"
          R"("value":"18446744073709551615","unit":"bytes","index":"2",)"
          R"("labels":{"ifName":"eth0","source":"snmp"},"offset":12})");
}

TEST_CASE("metric values keep their kind") {
    const auto value = [](auto set) {
        messaging::DeviceTelemetry m;
        m.set_device_id("d");
        set(*m.add_events()->mutable_metric_data());
        const auto out =
            decode(RecordKind::universal, envelope(PayloadKind::device, m.SerializeAsString()));
        REQUIRE(out.rows.size() == 1);
        return Json::parse(out.rows[0])["value"];
    };
    using Metric = messaging::MetricData;
    CHECK(value([](Metric& m) { m.set_numeric_value(45.6); }) == Json(45.6));
    CHECK(value([](Metric& m) { m.set_numeric_value(12345678); }).dump() == "12345678");
    CHECK(value([](Metric&) {}).dump() == "0");
    CHECK(value([](Metric& m) { m.set_string_value("up"); }) == Json("up"));
    CHECK(value([](Metric& m) { m.set_value_kind(Metric::TEXT); }) == Json(""));
    CHECK(value([](Metric& m) { m.set_value_kind(Metric::BOOLEAN); }) == Json(false));
    CHECK(value([](Metric& m) {
              m.set_value_kind(Metric::BINARY);
              m.set_binary_value("\x01\xff");
          }) == Json("01ff"));
    CHECK(value([](Metric& m) { m.set_counter_value((1ULL << 53) + 1); }) ==
          Json("9007199254740993"));
}

TEST_CASE("event rows of processes, flows and gaps have their own fields") {
    messaging::TelemetryBatch batch;
    batch.set_device_id("host-1");
    auto* process = batch.add_processes();
    process->set_pid(42);
    process->set_ppid(1);
    process->set_name("sshd");
    process->set_exe("/usr/sbin/sshd");
    process->set_kind("START");
    process->set_start_ts_ns(7);
    process->set_event_time_ns(ts + 5);
    process->add_missing("gid:EACCES");
    auto* flow = batch.add_flows();
    flow->set_src_ip("10.0.0.1");
    flow->set_dst_ip("10.0.0.2");
    flow->set_dst_port(53);
    flow->set_protocol("UDP");
    flow->set_bytes_sent(10);
    flow->set_start_time(ts);
    flow->set_end_time(ts + 1);
    const auto out = decode(RecordKind::universal,
                            envelope(PayloadKind::batch, batch.SerializeAsString(), "proc"));
    REQUIRE(out.rows.size() == 2);
    CHECK(out.rows[0] ==
          R"({"device":"host-1","time":"2025-12-04T04:08:48.902984005Z","source":"proc",)"
          R"("kind":"process","severity":"INFO","pid":42,"ppid":1,"name":"sshd",)"
          R"("exe":"/usr/sbin/sshd","uid":0,"gid":null,"start_ts_ns":"7","change":"START",)"
          R"("missing":["gid:EACCES"]})");
    CHECK(out.rows[1] ==
          R"({"device":"host-1","time":"2025-12-04T04:08:48.902984000Z","source":"proc",)"
          R"("kind":"flow","severity":"INFO","src_ip":"10.0.0.1","dst_ip":"10.0.0.2",)"
          R"("src_port":0,"dst_port":53,"protocol":"UDP","bytes_sent":10,"bytes_recv":0,)"
          R"("flags":0,"start_time":"2025-12-04T04:08:48.902984000Z",)"
          R"("end_time":"2025-12-04T04:08:48.902984001Z"})");

    EnvelopeBuilder builder("edge-1", "flow", test_key(), {Epoch{5}, SeqNo{9}, Bytes(64, 9)});
    EnvelopeBuilder::Gap gap;
    gap.first = {4};
    gap.last = {9};
    gap.envelopes = 6;
    gap.reason = "spool_full";
    gap.prev_signature = gap.last_signature = Bytes(64, 9);
    gap.from_ns = ts;
    const auto gaps = decode(RecordKind::gap, *builder.build_gap(gap, ts));
    REQUIRE(gaps.rows.size() == 1);
    CHECK(gaps.rows[0] ==
          R"({"device":"edge-1","time":"2025-12-04T04:08:48.902984000Z","source":"flow",)"
          R"("kind":"gap","severity":"WARN","first_sequence":4,"last_sequence":9,"envelopes":6,)"
          R"("events":0,"reason":"spool_full","from":"2025-12-04T04:08:48.902984000Z","to":null})");
}

TEST_CASE("a flow of the earlier system shows its counts under the published names") {
    messaging::Envelope legacy;
    legacy.set_version("1");
    legacy.set_ts_ns(ts);
    legacy.mutable_flow()->set_src_ip("localhost");
    legacy.mutable_flow()->set_dst_ip("eventbus");
    // bytes_tx (11) = 1, proto (13) = "UDP", duration_ms (14) = 3, as the earlier agents wrote them
    const std::string bytes = legacy.SerializeAsString();
    const auto plain = decode(RecordKind::legacy, bytes);
    REQUIRE(plain.rows.size() == 1);
    CHECK(plain.rows[0].find(R"("device":"localhost")") != std::string::npos);
    CHECK(plain.rows[0].find(R"("source":"legacy")") != std::string::npos);
    const std::string flow = std::string(
        "\x0a\x01"
        "a\x12\x01"
        "b\x48\x01\x58\x01\x6a\x03UDP\x70\x03",
        17);
    const std::string whole = std::string(
                                  "\x0a\x01"
                                  "1\x22",
                                  4) +
                              static_cast<char>(flow.size()) + flow;
    const auto row = decode(RecordKind::legacy, whole);
    REQUIRE(row.rows.size() == 1);
    const Json json = Json::parse(row.rows[0]);
    CHECK(json["bytes_sent"] == 1);
    CHECK(json["protocol"] == "UDP");
    CHECK(json["end_time"] == "1970-01-01T00:00:00.003000001Z");
    CHECK_FALSE(json.contains("bytes_tx"));
}

TEST_CASE("decoder skips and counts an event whose text is not UTF-8 and gives the others") {
    auto m = record();
    *m.add_events() = m.events(0);
    m.mutable_events(0)->mutable_metric_data()->set_unit("@@@@");
    std::string bytes = m.SerializeAsString();
    bytes.replace(bytes.find("@@@@"), 4, "\xff\xff\xff\xff");
    for (const bool batch : {false, true}) {
        std::string payload = bytes;
        if (batch) {
            messaging::TelemetryBatch outer;
            *outer.add_telemetry_records() = record();
            payload = outer.SerializeAsString() + "\x0a";
            payload +=
                static_cast<char>(static_cast<unsigned char>((bytes.size() & 0x7fU) | 0x80U));
            payload += static_cast<char>(bytes.size() >> 7U);
            payload += bytes;
        }
        const auto out =
            decode(RecordKind::universal,
                   envelope(batch ? PayloadKind::batch : PayloadKind::device, payload));
        CHECK(out.rows.size() == (batch ? 2U : 1U));
        CHECK(out.counts.malformed_events == 1);
        CHECK(out.rows.back().find("router-1") != std::string::npos);
    }
}

TEST_CASE("decoder counts an envelope that it cannot read and goes on") {
    EventDecoder decoder;
    int seen = 0;
    const auto visit = [&](const Event&) {
        ++seen;
        return true;
    };
    CHECK(decoder.decode(RecordKind::universal, as_bytes("garbage"), 1, visit));
    CHECK(decoder.decode(RecordKind::legacy, as_bytes("\xff"), 2, visit));
    const std::string good = envelope(PayloadKind::device, record().SerializeAsString());
    CHECK(decoder.decode(RecordKind::universal, as_bytes(good), 3, visit));
    CHECK_FALSE(decoder.decode(RecordKind::universal, as_bytes(good), 4,
                               [](const Event&) { return false; }));
    CHECK(seen == 1);
    CHECK(decoder.counts().envelopes == 4);
    CHECK(decoder.counts().malformed_envelopes == 2);
    CHECK(decoder.counts().events == 2);
}

TEST_CASE("an audit record is read as an audit event") {
    AuditEntry entry;
    entry.time_ns = ts;
    entry.writer = "bus-host";
    entry.category = "epoch";
    entry.action = "reset";
    entry.object_type = "lane";
    entry.object_id = "edge-1/snmp";
    entry.before = "epoch 5";
    entry.after = "epoch 6, not linked";
    entry.severity = "WARN";
    const auto out = decode(RecordKind::audit, encode_audit(entry));
    REQUIRE(out.rows.size() == 1);
    CHECK(out.rows[0] ==
          R"({"device":"bus-host","time":"2025-12-04T04:08:48.902984000Z","source":"audit",)"
          R"("kind":"audit","severity":"WARN","audit":{"audit_category":"epoch",)"
          R"("action_performed":"reset","object_type":"lane","object_id":"edge-1/snmp",)"
          R"("before_value":"epoch 5","after_value":"epoch 6, not linked"}})");
}

TEST_CASE("event filter matches globs, words and times, and both spellings of a metric") {
    Event event;
    event.time_ns = 100;
    event.device = "router-1";
    event.source = "snmp";
    event.severity = "INFO";
    event.metric = "snmp_sysDescr";
    EventFilter filter;
    CHECK(filter.matches(event));
    filter.metrics = {"sysDescr"};
    CHECK(filter.matches(event));
    event.metric = "sysDescr";
    filter.metrics = {"ifName", "snmp_sys*"};
    CHECK(filter.matches(event));
    filter.devices = {"router-*"};
    filter.kinds = {"metric"};
    filter.sources = {"snmp"};
    filter.severities = {"info"};
    CHECK(filter.matches(event));
    filter.since_ns = 100;
    filter.until_ns = 101;
    CHECK(filter.matches(event));
    filter.until_ns = 100;
    CHECK_FALSE(filter.matches(event));
    filter.until_ns = 101;
    filter.since_ns = 101;
    CHECK_FALSE(filter.matches(event));
    filter.since_ns = 0;
    event.kind = EventKind::process;
    filter.kinds.clear();
    CHECK_FALSE(filter.matches(event));
}

namespace {

// One row as protobuf's own reading of the record gives it.
std::string expected_row(const messaging::DeviceTelemetry& record,
                         const messaging::TelemetryEvent& event) {
    const auto& metric = event.metric_data();
    const auto label = [&](const char* name) {
        const auto at = metric.labels().find(name);
        return at == metric.labels().end() ? std::string() : at->second;
    };
    const auto or_else = [](std::string a, std::string b) { return a.empty() ? b : a; };
    using Metric = messaging::MetricData;
    std::string value = std::to_string(metric.numeric_value());
    if (metric.value_kind() == Metric::BOOLEAN)
        value = metric.boolean_value() ? "true" : "false";
    else if (metric.value_kind() == Metric::BINARY)
        value = to_hex(as_bytes(metric.binary_value()));
    else if (metric.value_kind() == Metric::TEXT ||
             (metric.value_kind() == Metric::UNSPECIFIED && !metric.string_value().empty()))
        value = metric.string_value();
    else if (metric.counter_value() != 0)
        value = std::to_string(metric.counter_value());
    const UnixNanos own = event.event_timestamp_ns();
    const UnixNanos time_ns = own != 0 ? own : record.timestamp_ns();
    return or_else(record.device_id(), "edge-1") + "|" +
           or_else(label("source"), or_else(record.collection_agent(), "snmp")) + "|" +
           or_else(event.severity(), "INFO") + "|" + std::to_string(time_ns != 0 ? time_ns : ts) +
           "|" + metric.metric_name() + "|" + metric.metric_type() + "|" + metric.unit() + "|" +
           or_else(metric.index(), label("index")) + "|" + value;
}

std::string row_of(const Event& event, bool binary) {
    struct Text {
        bool binary;
        std::string operator()(std::monostate) const { return {}; }
        std::string operator()(double value) const { return std::to_string(value); }
        std::string operator()(std::uint64_t value) const { return std::to_string(value); }
        std::string operator()(bool value) const { return value ? "true" : "false"; }
        std::string operator()(std::string_view value) const {
            return binary ? to_hex(as_bytes(value)) : std::string(value);
        }
    };
    return std::string(event.device) + "|" + std::string(event.source) + "|" +
           std::string(event.severity) + "|" + std::to_string(event.time_ns) + "|" +
           std::string(event.metric) + "|" + std::string(event.type) + "|" +
           std::string(event.unit) + "|" + std::string(event.index) + "|" +
           std::visit(Text{binary}, event.value);
}

}  // namespace

TEST_CASE("whatever protobuf reads of a record's metrics, the decoder reads the same") {
    const unsigned seed = 20261126;
    INFO("seed " << seed);
    std::mt19937 random(seed);
    auto base = record();
    for (int i = 0; i < 3; ++i)
        *base.add_events() = base.events(0);
    base.mutable_events(1)->set_event_timestamp_ns(77);
    base.mutable_events(1)->set_severity("ERROR");
    base.mutable_events(1)->set_event_type("METRIC");
    base.mutable_events(1)->add_tags("größe");
    base.mutable_events(2)->mutable_metric_data()->set_value_kind(messaging::MetricData::TEXT);
    base.mutable_events(2)->mutable_metric_data()->set_string_value("läuft");
    (*base.mutable_events(2)->mutable_metric_data()->mutable_labels())["index"] = "9";
    base.mutable_events(2)->mutable_metric_data()->clear_index();
    base.mutable_events(3)->mutable_metric_data()->set_value_kind(messaging::MetricData::BINARY);
    base.mutable_events(3)->mutable_metric_data()->set_binary_value("\xff\x01");
    const std::string bytes = base.SerializeAsString();
    unsigned read = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string changed = bytes;
        for (auto flips = random() % 3; flips > 0; --flips)
            changed[random() % changed.size()] = static_cast<char>(random());
        messaging::DeviceTelemetry message;
        if (!message.ParseFromString(changed))
            continue;
        std::vector<std::string> expected;
        std::vector<bool> binary;
        bool metrics = true;
        for (const auto& event : message.events()) {
            metrics = metrics && (event.event_type().empty() || event.event_type() == "METRIC") &&
                      !event.has_log_data() && !event.has_alarm_data() &&
                      !event.has_status_data() && !event.has_security_event() &&
                      !event.has_audit_event();
            expected.push_back(expected_row(message, event));
            binary.push_back(event.metric_data().value_kind() == messaging::MetricData::BINARY);
        }
        if (!metrics)
            continue;
        ++read;
        std::vector<std::string> rows;
        EventDecoder decoder;
        const std::string stored = envelope(PayloadKind::device, changed);
        decoder.decode(RecordKind::universal, as_bytes(stored), 0, [&](const Event& event) {
            rows.push_back(row_of(event, rows.size() < binary.size() && binary[rows.size()]));
            return true;
        });
        REQUIRE(rows == expected);
        CHECK(decoder.counts().malformed_events == 0);
    }
    CHECK(read > 5'000);
}

TEST_CASE("a lenient encoding gives the same rows as the strict one") {
    const std::string strict = record().events(0).SerializeAsString();
    const auto rows = [](std::string_view length) {
        const std::string event = record().events(0).SerializeAsString();
        std::string payload = "\x0a\x08router-1\x2a";
        payload += length;
        payload += event;
        return decode(RecordKind::universal, envelope(PayloadKind::device, payload));
    };
    REQUIRE(strict.size() < 128);
    const char size = static_cast<char>(strict.size());
    const char open = static_cast<char>(strict.size() | 0x80U);
    const auto minimal = rows(std::string(1, size));
    const auto longer = rows(std::string{open, '\0'});
    REQUIRE(minimal.rows.size() == 1);
    CHECK(minimal.rows == longer.rows);
    CHECK(longer.counts.malformed_events == 0);
}

TEST_CASE("an event of each kind has a line for people") {
    const auto text = [](const char* row) {
        const auto parsed = json::parse(row, "row");
        REQUIRE(parsed.has_value());
        return event_text(*parsed);
    };
    CHECK(
        text(R"({"kind":"metric","metric":"ifInOctets","index":"2","value":17,"unit":"bytes"})") ==
        "ifInOctets[2]=17 bytes");
    CHECK(text(R"({"kind":"metric","metric":"laLoad1","index":"","value":0.5,"unit":"1"})") ==
          "laLoad1=0.5");
    CHECK(text(R"({"kind":"metric","metric":"sysName","value":"core switch","unit":""})") ==
          "sysName=core switch");
    CHECK(
        text(R"({"kind":"process","pid":4711,"name":"sh","change":"EXEC","cmdline":"sh -c ls"})") ==
        "EXEC sh pid 4711 sh -c ls");
    CHECK(
        text(
            R"({"kind":"process","pid":7,"name":"","exe":"/bin/x","change":"EXIT","exit_code":3})") ==
        "EXIT /bin/x pid 7 exit 3");
    CHECK(text(R"({"kind":"flow","protocol":"TCP","src_ip":"192.0.2.1","src_port":4711,
                   "dst_ip":"192.0.2.2","dst_port":443,"conn_state":"SF","bytes_sent":517,
                   "bytes_recv":3091,"service":"tls","sni":"a.example"})") ==
          "TCP 192.0.2.1:4711 -> 192.0.2.2:443 SF 517/3091 bytes tls a.example");
    CHECK(
        text(R"({"kind":"flow","protocol":"UDP","src_ip":"fe80::1","src_port":1,"dst_ip":"ff02::2",
                   "dst_port":2,"bytes_sent":1,"bytes_recv":0})") ==
        "UDP [fe80::1]:1 -> [ff02::2]:2 1/0 bytes");
    CHECK(text(R"({"kind":"gap","first_sequence":3,"last_sequence":4,"envelopes":2,"events":4,
                   "reason":"spool full"})") == "lost 2 envelopes, 4 events (3..4): spool full");
    CHECK(text(R"({"kind":"audit","audit":{"audit_category":"epoch","action_performed":"reset",
                   "object_id":"edge-1/proc","actor_id":"bus","before_value":"epoch 1",
                   "after_value":"epoch 2"}})") ==
          "epoch reset edge-1/proc by bus: epoch 1 -> epoch 2");
    CHECK(text(R"({"kind":"alarm","alarm":{"state":"ACTIVE","alarm_name":"disk_full",
                   "description":"91 percent"}})") == "ACTIVE disk_full: 91 percent");
    CHECK(text(R"({"kind":"security","security":{"event_category":"PROCESS",
                   "event_action":"deleted_executable","target_resource":"/tmp/x",
                   "user_name":"ops"}})") == "PROCESS deleted_executable /tmp/x by ops");
    CHECK(text(R"({"kind":"status","status":{"component_name":"snmp","status":"offline",
                   "previous_status":"online"},"attributes":{"reason":"timeout"}})") ==
          "snmp offline (was online): timeout");
    CHECK(text(R"({"kind":"status","status":{"component_name":"snmp","status":"online",
                   "previous_status":"online"}})") == "snmp online");
    CHECK(
        text(R"({"kind":"log","log":{"log_level":"err","process_name":"sshd","message":"no"}})") ==
        "err sshd: no");
    CHECK(text(R"({"kind":"log"})").empty());
    CHECK(event_text(Json::object()).empty());
    // Long texts are cut between characters.
    std::string wide;
    for (int i = 0; i < 100; ++i)
        wide += "\u00e9";
    const std::string cut = event_text({{"kind", "log"}, {"log", {{"message", "x" + wide}}}});
    CHECK(cut.size() == 162);
    CHECK(valid_utf8(cut));
    CHECK(cut.ends_with("\u00e9..."));
}
