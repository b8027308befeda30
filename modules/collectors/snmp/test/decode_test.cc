#include "modules/collectors/snmp/decode.h"

#include <catch2/catch.hpp>

#include "modules/collectors/snmp/test/fake_agent.h"

using namespace amoskys;
using namespace amoskys::snmp;
using messaging::MetricData;

namespace {

DeviceContext device() {
    DeviceContext context;
    context.device_id = "box";
    context.address = "127.0.0.1";
    context.time_ns = 1'700'000'000'000'000'000;
    context.interval_ms = 60'000;
    return context;
}

Decoded decode_agent(FakeAgent agent) {
    const auto profile = small_profile();
    DevicePoll poll(profile, Version::v2c, {});
    run(poll, agent);
    return decode(*profile, poll.result(), device());
}

const MetricData* find(const Decoded& decoded, std::string_view metric,
                       std::string_view index = "") {
    for (const auto& record : decoded.records)
        for (const auto& event : record.events())
            if (event.event_type() == "METRIC" && event.metric_data().metric_name() == metric &&
                event.metric_data().index() == index)
                return &event.metric_data();
    return nullptr;
}

}  // namespace

TEST_CASE("metrics carry value, type, unit, index and the labels of their row") {
    FakeAgent agent = small_agent(2);
    agent.objects[{1, 2, 2, 1}] = counter(18'446'744'073'709'551'615ULL);
    agent.objects[{1, 2, 2, 2}] = counter(9'007'199'254'740'992ULL);
    const Decoded decoded = decode_agent(agent);
    CHECK(decoded.missing.empty());
    CHECK(decoded.metrics == 2 + 6);

    const MetricData* name = find(decoded, "name");
    REQUIRE(name);
    CHECK(name->string_value() == "box");
    CHECK(name->value_kind() == MetricData::TEXT);
    CHECK(name->metric_type() == "GAUGE");
    CHECK(name->labels().at("source") == "snmp");

    const MetricData* load = find(decoded, "load");
    REQUIRE(load);
    CHECK(load->numeric_value() == 0.39);
    CHECK(load->value_kind() == MetricData::NUMERIC);

    const MetricData* large = find(decoded, "octets", "1");
    REQUIRE(large);
    CHECK(large->counter_value() == 18'446'744'073'709'551'615ULL);
    CHECK(large->metric_type() == "COUNTER");
    CHECK(large->unit() == "bytes");
    CHECK(large->labels().at("descr") == "row 1");
    const MetricData* exact = find(decoded, "octets", "2");
    CHECK(exact->counter_value() == 0);
    CHECK(exact->numeric_value() == 9'007'199'254'740'992.0);
    CHECK_FALSE(find(decoded, "descr", "1")->labels().contains("descr"));
}

TEST_CASE("what a device does not have is named as missing and gives no event") {
    FakeAgent agent = small_agent(2);
    agent.objects.erase({1, 1, 2, 0});
    agent.objects.erase({1, 2, 3, 1});
    agent.objects.erase({1, 2, 3, 2});
    agent.objects.erase({1, 2, 2, 2});
    const Decoded decoded = decode_agent(agent);
    CHECK(decoded.missing == std::vector<std::string>{"load", "used"});
    CHECK_FALSE(find(decoded, "load"));
    CHECK(find(decoded, "octets", "1"));
    CHECK_FALSE(find(decoded, "octets", "2"));
}

TEST_CASE(
    "a storage size that the agent let run over is read as unsigned, with the raw value beside "
    "it") {
    FakeAgent agent = small_agent(1);
    agent.objects[{1, 2, 3, 1}] = integer(-2);
    const Decoded decoded = decode_agent(agent);
    const MetricData* used = find(decoded, "used", "1");
    REQUIRE(used);
    CHECK(used->numeric_value() == 4'294'967'294.0);
    CHECK(used->labels().at("raw") == "-2");
}

TEST_CASE("texts stay what they were: empty, with zeros, not UTF-8, and very long") {
    FakeAgent agent = small_agent(4);
    agent.objects[{1, 1, 1, 0}] = octets("");
    agent.objects[{1, 2, 1, 1}] = octets("caf\xE9");
    agent.objects[{1, 2, 1, 2}] = octets(std::string("eth0\0", 5));
    agent.objects[{1, 2, 1, 3}] = octets(std::string(60'000, '\xFF'));
    agent.objects[{1, 2, 1, 4}] = octets("\x1B[2J");
    const Decoded decoded = decode_agent(agent);
    CHECK(find(decoded, "name")->value_kind() == MetricData::TEXT);
    CHECK(find(decoded, "name")->string_value().empty());
    CHECK(find(decoded, "descr", "1")->string_value() == "caf\xEF\xBF\xBD");
    CHECK(find(decoded, "descr", "1")->binary_value() == "caf\xE9");
    CHECK(find(decoded, "descr", "2")->string_value() == "eth0");
    const MetricData* huge = find(decoded, "descr", "3");
    CHECK(huge->labels().at("truncated_bytes") == "60000");
    CHECK(huge->ByteSizeLong() < 40'000);
    CHECK(find(decoded, "descr", "4")->string_value() == "\x1B[2J");
    for (const auto& record : decoded.records)
        CHECK(messaging::DeviceTelemetry().ParseFromString(record.SerializeAsString()));
}

TEST_CASE("a value of another type than the profile says is unreadable, not zero") {
    FakeAgent agent = small_agent(1);
    agent.objects[{1, 1, 1, 0}] = integer(5);
    agent.objects[{1, 1, 2, 0}] = octets("n/a");
    agent.objects[{1, 2, 2, 1}] = octets("12");
    const Decoded decoded = decode_agent(agent);
    CHECK(decoded.unreadable == std::vector<std::string>{"name", "load", "octets"});
    CHECK(decoded.missing.empty());
    CHECK_FALSE(find(decoded, "octets", "1"));
}

TEST_CASE("a large device becomes several records, none above the limit, nothing lost") {
    const Decoded decoded = decode_agent(small_agent(3000));
    CHECK(decoded.records.size() > 1);
    CHECK(decoded.metrics == 2 + 9000);
    std::size_t events = 0;
    for (const auto& record : decoded.records) {
        CHECK(record.ByteSizeLong() <= max_record_bytes + 16);
        CHECK(record.device_id() == "box");
        CHECK(record.timestamp_ns() == device().time_ns);
        CHECK(record.batch_size() == static_cast<std::uint32_t>(record.events_size()));
        events += static_cast<std::size_t>(record.events_size());
    }
    CHECK(events == 9002 + 1);
}

TEST_CASE("the status event says online, partial or offline, and since when") {
    const Decoded decoded = decode_agent(small_agent(1));
    const auto& first = decoded.records.front().events(0);
    CHECK(first.event_type() == "STATUS");
    CHECK(first.status_data().status() == "online");
    CHECK(first.status_data().status_change_time_ns() == device().time_ns);

    DeviceContext again = device();
    again.previous_status = "offline";
    again.since_ns = 42;
    const auto record = offline_record(again, "no answer");
    CHECK(record.events(0).status_data().status_change_time_ns() == 42);
    CHECK(record.events(0).attributes().at("reason") == "no answer");
    CHECK(record.events(0).severity() == "ERROR");
}
