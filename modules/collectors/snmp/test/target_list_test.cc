#include "modules/collectors/snmp/target_list.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/base/test/temp_folder.h"

using namespace amoskys;
using namespace amoskys::snmp;

namespace {

SnmpConfig config_with(std::string file) {
    SnmpConfig config;
    config.targets_file = std::move(file);
    return config;
}

std::string error_of(const SnmpConfig& config) {
    const auto list = list_targets(config);
    REQUIRE_FALSE(list.has_value());
    CHECK(list.error().kind == ErrorKind::config);
    return list.error().message;
}

}  // namespace

TEST_CASE("a file of targets gives each its credentials, profile and times") {
    const TempFolder folder;
    const std::string secret = folder.write("ops.auth", "authpass1\n");
    SnmpConfig config = config_with(folder.write(
        "t.yaml",
        "credentials:\n"
        "  - {name: ops, version: 3, user: ops, auth_protocol: sha256, auth_password: \"@" +
            secret +
            "\", priv_password: privpass1}\n"
            "targets:\n"
            "  - 192.0.2.1\n"
            "  - {target: \"core=udp:192.0.2.2:1161\", credentials: ops, profile: "
            "minimal, interval: 10s, timeout: 500ms, retries: 3, context: vlan-7}\n"
            "  - {target: \"edge=192.0.2.3\", credentials: ops}\n"
            "  - {target: \"old=192.0.2.4\", version: 1, community: secret}\n"));
    config.target = {"first=192.0.2.9"};
    const auto list = list_targets(config);
    INFO((list ? "" : list.error().message));
    REQUIRE(list.has_value());
    REQUIRE(list->size() == 5);
    CHECK((*list)[0].target.device_id == "first");
    CHECK((*list)[1].credentials->community.value == "public");
    CHECK((*list)[1].profile == "default");
    CHECK((*list)[1].credentials == (*list)[0].credentials);
    const TargetSettings& core = (*list)[2];
    CHECK(core.credentials->version == Version::v3);
    CHECK(core.credentials->user.auth == Auth::sha256);
    CHECK(core.credentials->user.priv == Priv::aes128);
    CHECK(core.credentials->user.auth_key.bytes ==
          crypto::password_key(crypto::HashName::sha256, as_bytes("authpass1")));
    CHECK(core.credentials->context == "vlan-7");
    CHECK(core.profile == "minimal");
    CHECK(core.interval == Duration(std::chrono::seconds(10)));
    CHECK(core.timeout == Duration(std::chrono::milliseconds(500)));
    CHECK(core.retries == 3);
    CHECK((*list)[3].credentials->context.empty());
    CHECK((*list)[4].credentials->version == Version::v1);
    CHECK((*list)[4].credentials->community.value == "secret");
}

TEST_CASE("a CSV file of ten thousand targets is read, each with one of few credentials") {
    const TempFolder folder;
    std::string text = "target,community,interval\n";
    for (int i = 0; i < 10'000; ++i)
        text += "d" + std::to_string(i) + "=10.0." + std::to_string(i / 256) + "." +
                std::to_string(i % 256) + (i % 2 == 0 ? ",even,\n" : ",odd,5s\n");
    const auto list = list_targets(config_with(folder.write("t.csv", text)));
    REQUIRE(list.has_value());
    REQUIRE(list->size() == 10'000);
    CHECK((*list)[9'998].credentials == (*list)[0].credentials);
    CHECK((*list)[9'999].credentials->community.value == "odd");
    CHECK((*list)[9'999].interval == Duration(std::chrono::seconds(5)));
    CHECK((*list)[9'998].interval == Duration(std::chrono::minutes(1)));
}

TEST_CASE("all mistakes of a file are named at once, with their places") {
    const TempFolder folder;
    const std::string errors = error_of(config_with(
        folder.write("t.yaml",
                     "targets:\n"
                     "  - {target: a, interval: 2d}\n"
                     "  - {target: b, kommunity: x}\n"
                     "  - {target: c, credentials: ops}\n"
                     "  - {target: a2, version: 3}\n"
                     "  - {target: a3, version: 3, user: u, auth_password: short}\n"
                     "  - {target: a4, version: 3, user: u, priv_password: longenough}\n"
                     "  - {target: d}\n"
                     "  - {target: d}\n")));
    for (const char* part :
         {"t.yaml:2:5: interval: 2d: allowed are 1s to", "t.yaml:3:5: kommunity: x: unknown field",
          "t.yaml:4:5: credentials: ops: no such credentials",
          "t.yaml:5:5: user: ", "t.yaml:6:5: auth_password: a password of SNMPv3 has 8",
          "t.yaml:7:5: priv_protocol: none: encryption needs authentication",
          "t.yaml:9:5: d: device id d is taken"}) {
        INFO(errors);
        INFO(part);
        CHECK(errors.find(part) != std::string::npos);
    }
    CHECK(errors.find("short") == std::string::npos);  // a secret is never shown
    CHECK(error_of(config_with(folder.write("u.yaml", "- a\n"))).find("mapping is wanted") !=
          std::string::npos);
    CHECK(error_of(config_with(folder.write("v.yaml", "targets: [a\n"))).find("v.yaml:") !=
          std::string::npos);
    CHECK_FALSE(list_targets(config_with(folder.path.string() + "/none.yaml")).has_value());
}
