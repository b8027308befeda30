#include <catch2/catch.hpp>

#include "core/config/test/example_sections.h"
#include "core/json/json.h"

using namespace amoskys;
using namespace amoskys::config;
using namespace amoskys::config::example;
using Catch::Matchers::Contains;

TEST_CASE("later sources win: file, environment, --set, flags") {
    Sources sources;
    const std::string file = "bus: {listen: file, max_inflight: 1, offset: 1, ratio: 0.1}\n";
    sources.environment = {{"AMOSKYS_BUS__MAX_INFLIGHT", "2"},
                           {"amoskys_ignored", "x"},
                           {"AMOSKYS_bus__offset", "2"},
                           {"AMOSKYS_BUS__RATIO", "0.2"},
                           {"AMOSKYS_BUS__HTTP__LISTEN", "h"},
                           {"AMOSKYS_AGENT__SNMP__TARGETS", "a, b"},
                           {"HOME", "/"}};
    sources.set = {{"bus.offset", "3"}, {"bus.ratio", "0.3"}, {"agent.snmp.once", "true"}};
    sources.flags["bus.ratio"] = {{"0.4"}, false, {"--ratio"}};
    const auto loaded = load_text(file, sources);
    REQUIRE(loaded.has_value());
    const auto bus = loaded->get<BusConfig>("bus");
    CHECK(bus->listen == "file");
    CHECK(bus->max_inflight == 2);
    CHECK(bus->offset == 3);
    CHECK(bus->ratio == 0.4);
    CHECK(bus->http_listen == "h");
    CHECK(loaded->get<SnmpConfig>("agent.snmp")->targets == std::vector<std::string>{"a", "b"});
    CHECK(loaded->get<SnmpConfig>("agent.snmp")->once);
    CHECK(loaded->origin("bus.max_inflight") == "environment AMOSKYS_BUS__MAX_INFLIGHT");
    CHECK(loaded->origin("bus.offset") == "--set");
    CHECK(loaded->origin("bus.ratio") == "--ratio");
}

TEST_CASE("an unknown environment name or --set key names the nearest") {
    Sources sources;
    sources.environment = {{"AMOSKYS_BUS__LISTN", "x"}, {"AMOSKYS_BUSLISTEN__", "x"}};
    sources.set = {{"bus.listn", "x"}};
    CHECK(error_of("", sources) ==
          "environment AMOSKYS_BUS__LISTN: no setting has this name; did you mean "
          "AMOSKYS_BUS__LISTEN?\n"
          "environment AMOSKYS_BUSLISTEN__: no setting has this name; did you mean "
          "AMOSKYS_BUS__LISTEN?\n"
          "--set: bus.listn: unknown key; did you mean bus.listen?");
}

TEST_CASE("the earlier system's names set our keys, in their own forms") {
    Sources sources;
    sources.environment = {
        {"BUS_SERVER_PORT", "50052"},  {"BUS_OVERLOAD", "true"},    {"LOGLEVEL", "WARN"},
        {"BUS_DEDUPE_TTL_SEC", "1.5"}, {"BUS_HEALTH_PORT", "8080"}, {"BUS_METRICS_PORT_1", "9001"},
        {"IS_SEND_RATE", "5"},         {"BUS_MAX_INFLIGHT", ""},    {"IS_DATA_DIR", "/data"}};
    const auto loaded = load(sections, sources);
    INFO((loaded ? "" : loaded.error().message));
    REQUIRE(loaded.has_value());
    const auto bus = loaded->get<BusConfig>("bus");
    CHECK(bus->listen == "127.0.0.1:50052");
    CHECK(bus->overload);
    CHECK((bus->dedup_window == 1500ms));
    CHECK(bus->max_inflight == 100);
    CHECK(bus->further == std::vector<std::string>{"127.0.0.1:9001", "127.0.0.1:8080"});
    CHECK(loaded->get<LogConfig>("log")->level == "warning");
    CHECK(loaded->get<TopConfig>("")->state_dir == "/data");
    CHECK(loaded->origin("bus.listen") == "environment BUS_SERVER_PORT");

    sources.environment = {{"BUS_SERVER_PORT", "50052"}, {"AMOSKYS_BUS__LISTEN", "[::1]:1"}};
    CHECK(load(sections, sources)->get<BusConfig>("bus")->listen == "[::1]:1");
    sources.environment = {{"BUS_SERVER_PORT", "99999"}};
    CHECK(load(sections, sources).error().message ==
          "environment BUS_SERVER_PORT: bus.listen: \"99999\" is not a port; allowed are 0 to "
          "65535");
}

TEST_CASE("a secret comes from a file, a credential, standard input or as it is") {
    const TempFolder folder;
    folder.write("secret", "s3cret\n");
    const auto community = [](const Sources& sources) {
        const auto loaded = load(sections, sources);
        return loaded ? loaded->get<SnmpConfig>("agent.snmp")->community.value
                      : loaded.error().message;
    };
    Sources sources;
    sources.set = {{"agent.snmp.community", "@" + (folder.path / "secret").string()}};
    CHECK(community(sources) == "s3cret");
    sources.set = {{"agent.snmp.community", "credential:secret"}};
    CHECK_THAT(community(sources), Contains("CREDENTIALS_DIRECTORY is not set"));
    sources.environment = {{"CREDENTIALS_DIRECTORY", folder.path.string()}};
    CHECK(community(sources) == "s3cret");
    sources.set = {{"agent.snmp.community", "credential:../secret"}};
    CHECK_THAT(community(sources), Contains("without a folder"));
    sources.set = {{"agent.snmp.community", "@@x"}};
    CHECK(community(sources) == "@x");
    sources.set = {{"agent.snmp.community", "@/nonexistent/secret"}};
    CHECK_THAT(community(sources), Contains("agent.snmp.community: the secret cannot be read"));

    int ends[2];
    REQUIRE(pipe(ends) == 0);
    REQUIRE(write(ends[1], "from input\r\n", 12) == 12);
    close(ends[1]);
    sources.set = {{"agent.snmp.community", "-"}};
    sources.secret_input_fd = ends[0];
    CHECK(community(sources) == "from input");
    close(ends[0]);
}

TEST_CASE("only the secret that counts is read, and none is kept as text") {
    Sources sources;
    sources.environment = {{"AMOSKYS_AGENT__SNMP__COMMUNITY", "@/nonexistent/secret"}};
    sources.set = {{"agent.snmp.community", "public"}};
    const auto loaded = load(sections, sources);
    REQUIRE(loaded.has_value());
    CHECK(loaded->get<SnmpConfig>("agent.snmp")->community.value == "public");
    CHECK(loaded->settings.at("agent.snmp.community").items == std::vector<std::string>{"***"});
    CHECK_THAT(effective_yaml(sections, *loaded, true), !Contains("public") && Contains("\"***\""));
}

TEST_CASE("required options count only for the module that runs") {
    Sources sources;
    CHECK(load(sections, sources).has_value());
    sources.required_roots = {"agent.replay"};
    const auto loaded = load(sections, sources);
    REQUIRE_FALSE(loaded.has_value());
    CHECK(loaded.error().message == "agent.replay.file: must be set: the recording");
    sources.set = {{"agent.replay.file", "x.csv"}};
    CHECK(load(sections, sources).has_value());
}

TEST_CASE("the defaults load as the defaults") {
    const std::string text = defaults_yaml(sections);
    INFO(text);
    CHECK(text == defaults_yaml(sections));
    const auto loaded = load_text(text);
    REQUIRE(loaded.has_value());
    const auto built_in = load(sections, {});
    CHECK(effective_yaml(sections, *loaded, false) == effective_yaml(sections, *built_in, false));
    CHECK_THAT(text, Contains("agent:\n  snmp:\n"
                              "    # Time between polls (100ms to 1h; reloadable)\n"
                              "    interval: 1m\n"));
    CHECK_THAT(text, Contains("bus:\n") && Contains("  http:\n") && !Contains("once"));
    CHECK_THAT(text, Contains("    # community: \"\"\n"));
}

TEST_CASE("the effective configuration loads again and says origins") {
    Sources sources;
    sources.set = {{"bus.listen", "true"}, {"agent.snmp.targets", "a:1,no,x y"}};
    const auto loaded = load(sections, sources);
    REQUIRE(loaded.has_value());
    const std::string text = effective_yaml(sections, *loaded, true);
    CHECK_THAT(text, Contains("  listen: \"true\"  # --set\n"));
    CHECK_THAT(text, Contains("    targets: [\"a:1\", \"no\", \"x y\"]  # --set\n"));
    CHECK_THAT(text, Contains("  max_inflight: 100  # default\n"));
    const auto again = load_text(text);
    REQUIRE(again.has_value());
    CHECK(effective_yaml(sections, *again, false) == effective_yaml(sections, *loaded, false));
}

TEST_CASE("the schema refuses unknown keys and knows bounds, choices and defaults") {
    const auto schema = json::parse(schema_json(sections), "schema");
    REQUIRE(schema.has_value());
    CHECK((*schema)["$schema"] == "https://json-schema.org/draft/2020-12/schema");
    CHECK((*schema)["additionalProperties"] == false);
    const Json snmp = (*schema)["properties"]["agent"]["properties"]["snmp"]["properties"];
    CHECK(snmp["version"]["enum"].dump() == R"(["1","2c","3"])");
    CHECK(snmp["interval"]["default"] == "1m");
    CHECK_FALSE(snmp.contains("once"));
    const Json bus = (*schema)["properties"]["bus"]["properties"];
    CHECK(bus["max_inflight"]["minimum"] == 1);
    CHECK(bus["max_inflight"]["default"] == 100);
    CHECK(bus["http"]["properties"]["listen"]["default"] == "127.0.0.1:9000");
    CHECK(bus["http"]["properties"]["listen"]["x-environment"] == "AMOSKYS_BUS__HTTP__LISTEN");
}
