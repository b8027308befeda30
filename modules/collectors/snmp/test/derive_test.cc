#include "modules/collectors/snmp/derive.h"

#include <catch2/catch.hpp>
#include <map>

#include "modules/collectors/snmp/decode.h"
#include "modules/collectors/snmp/test/fake_agent.h"

using namespace amoskys;
using namespace amoskys::snmp;

namespace {

constexpr std::string_view yaml = R"(
profile: p
scalars:
  - {metric: sysUpTime, oid: 1.1.1.0, type: gauge, unit: ticks}
  - {metric: hrSystemUptime, oid: 1.1.2.0, type: gauge, unit: ticks, stored: false}
  - {metric: user, oid: 1.1.3.0, type: counter, unit: ticks, settles_s: 10}
  - {metric: idle, oid: 1.1.4.0, type: counter, unit: ticks, settles_s: 10}
  - {metric: temperature, oid: 1.1.5.0, type: gauge, unit: celsius, scale: 0.1}
derived:
  - {metric: idleRate, rate: idle, unit: ticks/s, stored: false}
  - {metric: allRate, rates: [user, idle], unit: ticks/s, stored: false}
  - {metric: busy, rest: idleRate, of: allRate, unit: percent}
tables:
  - table: interfaces
    labels: [descr]
    columns:
      - {metric: descr, oid: 1.2.1, type: text, stored: false}
      - {metric: octets, oid: 1.2.2, type: counter, unit: bytes, settles_s: 10}
      - {metric: hcOctets, oid: 1.2.3, type: counter, unit: bytes}
      - {metric: speed, oid: 1.2.4, type: gauge, unit: bit/s}
      - {metric: since, oid: 1.2.5, type: gauge, unit: ticks, stored: false}
      - {metric: mac, oid: 1.2.6, type: text, hint: "1x:"}
    derived:
      - {metric: bits, rate: [hcOctets, octets], scale: 8, unit: bit/s, limit: speed, discontinuity: since}
      - {metric: share, percent: bits, of: speed, unit: percent}
)";

struct Box {
    std::shared_ptr<const Profile> profile;
    FakeAgent agent;
    RateMemory memory;
    double at_s = 1000;

    Box() {
        auto parsed = parse_profile(yaml, "p.yaml");
        INFO((parsed ? "" : parsed.error().message));
        REQUIRE(parsed.has_value());
        profile = std::make_shared<const Profile>(std::move(*parsed));
        uptime(1'000'000);
        cpu(100, 900);
    }
    void uptime(std::uint64_t ticks) { agent.objects[{1, 1, 1, 0}] = {Type::time_ticks, ticks}; }
    void host_uptime(std::uint64_t ticks) {
        agent.objects[{1, 1, 2, 0}] = {Type::time_ticks, ticks};
    }
    void cpu(std::uint64_t user, std::uint64_t idle) {
        agent.objects[{1, 1, 3, 0}] = {Type::counter32, user};
        agent.objects[{1, 1, 4, 0}] = {Type::counter32, idle};
    }
    void port(std::uint32_t index, std::optional<std::uint64_t> narrow,
              std::optional<std::uint64_t> wide, std::uint64_t speed = 100'000'000,
              std::uint64_t since = 0) {
        agent.objects[{1, 2, 1, index}] = octets("eth" + std::to_string(index));
        if (narrow)
            agent.objects[{1, 2, 2, index}] = {Type::counter32, *narrow};
        if (wide)
            agent.objects[{1, 2, 3, index}] = {Type::counter64, *wide};
        agent.objects[{1, 2, 4, index}] = {Type::gauge32, speed};
        agent.objects[{1, 2, 5, index}] = {Type::time_ticks, since};
    }
    // The derived values of one reading, 60 s after the one before.
    std::map<std::string, double> read() {
        DevicePoll poll(profile, Version::v2c, {});
        run(poll, agent);
        DeviceContext context;
        context.device_id = "box";
        context.at_s = at_s += 60;
        context.before = &memory;
        const Decoded decoded = decode(*profile, poll.result(), context);
        memory = Derivation::remember(*profile, poll.result(), at_s);
        std::map<std::string, double> out;
        for (const auto& record : decoded.records)
            for (const auto& event : record.events())
                if (event.has_metric_data()) {
                    const auto& data = event.metric_data();
                    out[data.metric_name() + (data.index().empty() ? "" : "." + data.index())] =
                        data.numeric_value();
                }
        return out;
    }
    std::map<std::string, double> next(std::uint64_t ticks) {
        uptime(ticks);
        return read();
    }
};

}  // namespace

TEST_CASE("rates come from two good readings, 64-bit counters first") {
    Box box;
    box.port(1, 1000, 10'000);
    const auto first = box.read();
    CHECK_FALSE(first.contains("bits.1"));
    CHECK_FALSE(first.contains("busy"));
    box.port(1, 2000, 10'000 + 60 * 1'250'000);
    box.cpu(100 + 3000, 900 + 9000);
    const auto second = box.next(1'006'000);
    CHECK(second.at("bits.1") == 10'000'000);
    CHECK(second.at("share.1") == 10);
    CHECK(second.at("busy") == 25);
    CHECK_FALSE(second.contains("idleRate"));
}

TEST_CASE("a 32-bit counter that turned over is no reset, a 64-bit one never turns over") {
    Box box;
    box.port(1, 4'294'967'000U, {});
    box.port(2, {}, 5000);
    box.port(3, 3'000'000, {});
    box.read();
    box.port(1, 304, {});
    box.port(2, {}, 100);
    box.port(3, 5, {});  // 71 MB/s is more than the link can
    const auto got = box.next(1'006'000);
    CHECK(got.at("bits.1") == 80);
    CHECK_FALSE(got.contains("bits.2"));
    CHECK_FALSE(got.contains("bits.3"));
}

TEST_CASE("after a restart of the device there is no rate, and then one again") {
    Box box;
    box.port(1, {}, 5000);
    box.read();
    box.port(1, {}, 6000);
    CHECK_FALSE(box.next(100).contains("bits.1"));
    box.port(1, {}, 6600);
    CHECK(box.next(6100).at("bits.1") == 80);
}

TEST_CASE("sysUpTime that turned over after 497 days is no restart") {
    Box box;
    box.port(1, {}, 5000);
    box.uptime(4'294'967'296ULL - 3000);
    box.read();
    box.port(1, {}, 5600);
    CHECK(box.next(3000).at("bits.1") == 80);
}

TEST_CASE("a restart of the SNMP daemon alone is none of the host's counters") {
    Box box;
    box.port(1, {}, 5000);
    box.host_uptime(9'000'000);
    box.read();
    box.port(1, {}, 5600);
    box.host_uptime(9'006'000);
    CHECK(box.next(500).at("bits.1") == 80);
}

TEST_CASE("ifCounterDiscontinuityTime ends one interface's rate") {
    Box box;
    box.port(1, {}, 5000, 100'000'000, 0);
    box.port(2, {}, 5000, 100'000'000, 0);
    box.read();
    box.port(1, {}, 5600, 100'000'000, 77);
    box.port(2, {}, 5600, 100'000'000, 0);
    const auto got = box.next(1'006'000);
    CHECK_FALSE(got.contains("bits.1"));
    CHECK(got.at("bits.2") == 80);
}

TEST_CASE(
    "a 0 just after the agent's start is no value and begins no rate where it settles later") {
    Box box;
    box.host_uptime(9'000'000);
    box.cpu(0, 0);
    box.port(1, 0, {});
    for (const std::uint64_t ticks : {30U, 500U}) {
        const auto young = box.next(ticks);
        CHECK_FALSE(young.contains("user"));
        CHECK_FALSE(young.contains("idle"));
        CHECK_FALSE(young.contains("octets.1"));
        CHECK_FALSE(young.contains("bits.1"));
        CHECK(young.contains("sysUpTime"));
    }
    box.cpu(3'000'000, 1'000'000);
    box.port(1, 70'000, {});
    const auto counting = box.next(600);  // at 6 s it counts: what it says is taken at once
    CHECK(counting.at("user") == 3'000'000);
    CHECK_FALSE(counting.contains("busy"));  // from 0 it would be the work of months in one minute
    CHECK_FALSE(counting.contains("bits.1"));
    box.cpu(3'003'000, 1'009'000);
    box.port(1, 70'600, {});
    const auto later = box.next(6600);
    CHECK(later.at("busy") == 25);
    CHECK(later.at("bits.1") == 80);
}

TEST_CASE("a 0 is a value where the agent had time to count, or says no uptime") {
    Box box;
    box.cpu(0, 100);
    CHECK(box.next(1000).at("user") == 0);
    CHECK(box.next(9'000'000).at("user") == 0);
    box.agent.objects.erase({1, 1, 1, 0});
    CHECK(box.read().at("user") == 0);
}

TEST_CASE("numbers are scaled, and octets shown by their hint") {
    Box box;
    box.agent.objects[{1, 1, 5, 0}] = integer(415);
    box.agent.objects[{1, 2, 6, 1}] = octets(std::string("\x00\x1a\x2b\xff\x00\x01", 6));
    CHECK(box.read().at("temperature") == Approx(41.5));
    DevicePoll poll(box.profile, Version::v2c, {});
    run(poll, box.agent);
    DeviceContext context;
    bool found = false;
    const Decoded decoded = decode(*box.profile, poll.result(), context);
    for (const auto& event : decoded.records[0].events())
        if (event.metric_data().metric_name() == "mac") {
            found = true;
            CHECK(event.metric_data().string_value() == "00:1a:2b:ff:00:01");
            CHECK(event.metric_data().binary_value().empty());
        }
    CHECK(found);
}

TEST_CASE("a profile refuses derived values without their inputs") {
    const auto error = [](const std::string& derived) {
        const auto profile = parse_profile(
            "profile: p\nscalars: [{metric: a, oid: 1.3, type: counter, unit: x}]\nderived: [" +
                derived + "]\n",
            "p.yaml");
        REQUIRE_FALSE(profile.has_value());
        return profile.error().message;
    };
    CHECK(error("{metric: b, rate: z, unit: x}").find("input z: no metric before it") !=
          std::string::npos);
    CHECK(error("{metric: b, rate: a, sum: a, unit: x}").find("one of rate") != std::string::npos);
    CHECK(error("{metric: b, unit: x}").find("one of rate") != std::string::npos);
    CHECK(error("{metric: b, percent: a, unit: x}").find("`of`") != std::string::npos);
    CHECK(error("{metric: a, sum: a, unit: x}").find("twice") != std::string::npos);
    CHECK(error("{metric: b, rate: a, scale: many, unit: x}").find("number is wanted") !=
          std::string::npos);
}
