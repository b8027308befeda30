#include <catch2/catch.hpp>

#include "core/config/test/example_sections.h"

using namespace amoskys;
using namespace amoskys::config;
using namespace amoskys::config::example;
using Catch::Matchers::Contains;

TEST_CASE("every type of option is read from a file, nested and dotted keys alike") {
    const auto loaded = load_text(
        "state_dir: /var/lib/x\n"
        "bus:\n"
        "  listen: 127.0.0.1:1\n"
        "  http: {listen: '127.0.0.1:2'}\n"
        "  max_inflight: 7\n"
        "  offset: -3\n"
        "  ratio: 0.25\n"
        "  overload: yes\n"
        "agent.snmp:\n"
        "  interval: 1m30s\n"
        "  targets: [udp:a:161, 'udp:b:161']\n"
        "  max_bytes: 128KiB\n");
    INFO((loaded ? "" : loaded.error().message));
    REQUIRE(loaded.has_value());
    CHECK(loaded->get<TopConfig>("")->state_dir == "/var/lib/x");
    const auto bus = loaded->get<BusConfig>("bus");
    CHECK(bus->listen == "127.0.0.1:1");
    CHECK(bus->http_listen == "127.0.0.1:2");
    CHECK(bus->max_inflight == 7);
    CHECK(bus->offset == -3);
    CHECK(bus->ratio == 0.25);
    CHECK(bus->overload);
    const auto snmp = loaded->get<SnmpConfig>("agent.snmp");
    CHECK((snmp->interval == 90s));
    CHECK(snmp->targets == std::vector<std::string>{"udp:a:161", "udp:b:161"});
    CHECK(snmp->max_bytes.bytes == 131072);
    CHECK(loaded->was_set("bus.listen"));
    CHECK_FALSE(loaded->was_set("log.level"));
    CHECK(loaded->origin("log.level") == "default");
    CHECK_THAT(loaded->origin("bus.max_inflight"), Contains("/a.yaml:5:3"));
}

TEST_CASE("all errors come at once, in the order of the file, each with its place") {
    CHECK(error_of("agent:\n"
                   "  snmp:\n"
                   "    intervall: 5s\n"
                   "    interval: 5ms\n"
                   "    version: 4\n"
                   "bus:\n"
                   "  max_inflight: many\n"
                   "  max_inflight: 3\n"
                   "  listen: [a]\n"
                   "buss:\n"
                   "  listen: x\n"
                   "  more: y\n"
                   "log: loud\n") ==
          "a.yaml:3:5: agent.snmp.intervall: unknown key; did you mean agent.snmp.interval?\n"
          "a.yaml:4:5: agent.snmp.interval: 5 ms is below the minimum of 100 ms\n"
          "a.yaml:5:5: agent.snmp.version: \"4\" is not one of 1, 2c, 3\n"
          "a.yaml:7:3: bus.max_inflight: \"many\" is not a whole number (of envelopes)\n"
          "a.yaml:8:3: bus.max_inflight: the key stands here a second time\n"
          "a.yaml:9:3: bus.listen: a list; allowed is a text\n"
          "a.yaml:10:1: buss: unknown key; did you mean bus?\n"
          "a.yaml:13:1: log: a value where a mapping of keys is expected");
}

TEST_CASE("a single error carries its code and its hint apart") {
    const auto loaded = load_text("bus:\n  lisen: x\n");
    REQUIRE_FALSE(loaded.has_value());
    CHECK((loaded.error().kind == ErrorKind::config));
    CHECK(loaded.error().code == "config_unknown_key");
    CHECK(loaded.error().hint == "did you mean bus.listen?");
    CHECK_THAT(loaded.error().message, Contains("a.yaml:2:3: bus.lisen: unknown key"));
}

TEST_CASE("a right name in the wrong section names the right one") {
    const auto loaded = load_text("bus:\n  community: x\n");
    REQUIRE_FALSE(loaded.has_value());
    CHECK(loaded.error().hint == "did you mean agent.snmp.community?");
}

TEST_CASE("bounds and types are said with the value and what is allowed") {
    CHECK(error_of("bus: {max_inflight: 0}\n") ==
          "a.yaml:1:7: bus.max_inflight: 0 envelopes is below the minimum of 1 envelopes");
    CHECK(error_of("bus: {max_inflight: -4}\n") ==
          "a.yaml:1:7: bus.max_inflight: -4 envelopes is below the minimum of 1 envelopes");
    CHECK_THAT(error_of("bus: {max_inflight: 99999999999999999999}\n"), Contains("64 bits"));
    CHECK_THAT(error_of("bus: {ratio: 1.5}\n"), Contains("1.5 is above the maximum of 1"));
    CHECK_THAT(error_of("bus: {ratio: nan}\n"), Contains("not a finite number"));
    CHECK_THAT(error_of("bus: {overload: maybe}\n"), Contains("allowed are true and false"));
    CHECK_THAT(error_of("agent: {snmp: {interval: 5}}\n"), Contains("not a duration"));
    CHECK_THAT(error_of("agent: {snmp: {interval: 2h}}\n"),
               Contains("2 h is above the maximum of 1 h"));
    CHECK_THAT(error_of("agent: {snmp: {max_bytes: 2MiB}}\n"),
               Contains("2 MiB is above the maximum of 1 MiB"));
    CHECK_THAT(error_of("agent: {snmp: {interval: {a: b}}}\n"), Contains("a mapping; allowed is"));
    CHECK_THAT(error_of("agent: {snmp: {interval: }}\n"), Contains("no value"));
}

TEST_CASE("what YAML allows but a configuration must not have is refused") {
    CHECK_THAT(error_of("bus: &a {listen: x}\n"), Contains("anchors"));
    CHECK_THAT(error_of("bus: &a {listen: x}\nlog: *a\n"), Contains("aliases"));
    CHECK_THAT(error_of("bus: {listen: x, listen: x}\n"), Contains("a second time"));
    CHECK_THAT(error_of("bus: {http: {listen: x}, http.listen: y}\n"), Contains("a second time"));
    CHECK_THAT(error_of("bus: {listen: !!str x}\n"), Contains("tags"));
    CHECK_THAT(error_of("- a\n"), Contains("not a mapping"));
    CHECK_THAT(error_of("text\n"), Contains("not a mapping"));
    CHECK_THAT(error_of("bus: {}\n---\nlog: {}\n"), Contains("a second document"));
    CHECK_THAT(error_of(", bus: {}\n"), Contains("text after the end"));
    CHECK_THAT(error_of("bus: {listen: \xff}\n"), Contains("not UTF-8"));
    CHECK_THAT(error_of("bus: {listen: [\n"), Contains("not valid YAML"));
    CHECK_THAT(error_of("? [a, b]\n: c\nbus: {lisen: 1}\n"),
               Contains("plain text") && Contains("bus.lisen"));
    CHECK_THAT(error_of("agent: {snmp: {targets: [{a: b}]}}\n"), Contains("plain texts"));
    CHECK_THAT(error_of("agent: {snmp: {once: true}}\n"), Contains("command line only"));
}

TEST_CASE("depth and size have limits") {
    const auto nested = [](int depth) {
        std::string text;
        for (int i = 0; i < depth; ++i)
            text += "{a: ";
        return text + "1" + std::string(static_cast<std::size_t>(depth), '}');
    };
    CHECK_THAT(error_of(nested(33)), Contains("deeper than 32"));
    CHECK_THAT(error_of(nested(32)), !Contains("deeper"));
    CHECK_THAT(error_of(nested(5000)), Contains("deeper than 32"));
    CHECK(error_of("# " + std::string((1U << 20) - 3, 'x') + "\n") == "no error");
    CHECK_FALSE(load_text("# " + std::string(1U << 20, 'x') + "\n").has_value());
}

TEST_CASE("an empty file and empty sections set nothing") {
    CHECK(load_text("").has_value());
    CHECK(load_text("# nothing\n").has_value());
    const auto loaded = load_text("bus:\nagent:\n  snmp:\n    # interval: 5s\n");
    REQUIRE(loaded.has_value());
    CHECK(loaded->settings.empty());
}

TEST_CASE("a missing file is no_input") {
    Sources sources;
    sources.files = {"/nonexistent/amoskys.yaml"};
    const auto loaded = load(sections, sources);
    REQUIRE_FALSE(loaded.has_value());
    CHECK((loaded.error().kind == ErrorKind::no_input));
    CHECK_THAT(loaded.error().message, Contains("/nonexistent/amoskys.yaml"));
}
