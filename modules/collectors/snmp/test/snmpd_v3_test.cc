// Version 3, the transports, and what is said when a device does not want to talk, all with
// Debian's snmpd.
#include <set>

#include "modules/collectors/snmp/test/run.h"
#include "modules/collectors/snmp/test/snmpd.h"

using namespace amoskys;
using namespace amoskys::snmp;

namespace {

struct Level {
    const char *auth, *priv;              // ours
    const char *their_auth, *their_priv;  // of snmpd.conf
};
constexpr Level levels[] = {
    {"md5", "none", "MD5", ""},
    {"md5", "des", "MD5", "DES"},
    {"sha", "none", "SHA", ""},
    {"sha", "des", "SHA", "DES"},
    {"sha", "aes", "SHA", "AES"},
    {"sha224", "aes", "SHA-224", "AES"},
    {"sha256", "none", "SHA-256", ""},
    {"sha256", "aes", "SHA-256", "AES"},
    {"sha384", "aes", "SHA-384", "AES"},
    {"sha512", "aes", "SHA-512", "AES"},
    {"sha", "aes192", "SHA", "AES-192"},
    {"sha", "aes256", "SHA", "AES-256"},
    {"sha256", "aes256", "SHA-256", "AES-256"},
    {"sha512", "aes192", "SHA-512", "AES-192"},
    {"sha512", "aes256", "SHA-512", "AES-256"},
    {"md5", "aes256", "MD5", "AES-256"},
};

std::string user_of(const Level& level) {
    return std::string("u-") + level.auth + "-" + level.priv;
}

std::string users() {
    std::string out = "view all included .1\nview narrow included .1.3.6.1.2.1.1.5\n";
    for (const Level& level : levels) {
        out += "createUser " + user_of(level) + " " + level.their_auth + " authpass1";
        if (*level.their_priv != '\0')
            out += std::string(" ") + level.their_priv + " privpass1";
        out += "\nrouser " + user_of(level) + (*level.their_priv != '\0' ? " priv" : " auth") +
               " -V all\n";
    }
    out += "createUser plain\nrouser plain noauth -V narrow\n";
    return out + "rocommunity public default -V all\nrocommunity6 public default -V all\n";
}

SnmpConfig v3_config(const std::string& target, const Level& level) {
    SnmpConfig config = config_for({target});
    config.version = "3";
    config.user = user_of(level);
    config.auth_protocol = level.auth;
    config.auth_password.value = "authpass1";
    config.priv_protocol = level.priv;
    if (std::string_view(level.priv) != "none")
        config.priv_password.value = "privpass1";
    config.timeout = std::chrono::milliseconds(1000);
    config.profile = "minimal";
    return config;
}

std::string reason(SnmpConfig config) {
    Run run(std::move(config));
    REQUIRE_FALSE(run.result.has_value());
    return run.result.error().message;
}

}  // namespace

TEST_CASE("version 3 reads a real snmpd with every authentication and encryption that it has") {
    const auto agent = Snmpd::start(users());
    if (!agent)
        return;
    for (const Level& level : levels) {
        INFO(user_of(level));
        Run run(v3_config(agent->address(), level));
        INFO((run.result ? "" : run.result.error().message));
        CHECK(run.result.has_value());
        const auto got = run.emitter.metrics();
        REQUIRE(got.contains({"sysName", ""}));
        CHECK(got.at({"sysName", ""}).string_value() == "test-box");
        CHECK(run.emitter.records.front().security().authentication_method() ==
              (std::string_view(level.priv) == "none" ? "snmpv3-authNoPriv" : "snmpv3-authPriv"));
    }
    SnmpConfig plain = config_for({agent->address()});
    plain.version = "3";
    plain.user = "plain";
    plain.profile = "minimal";
    Run run(std::move(plain));
    CHECK(run.emitter.metrics().contains({"sysName", ""}));
    CHECK_FALSE(run.emitter.metrics().contains({"sysUpTime", ""}));
}

TEST_CASE("UDP and TCP, IPv4 and IPv6 give the same") {
    const auto agent = Snmpd::start(users());
    if (!agent)
        return;
    for (const char* transport : {"udp", "tcp", "udp6", "tcp6"}) {
        if (!has_ipv6() && std::string_view(transport).ends_with('6')) {
            WARN("there is no IPv6 here: " << transport << " is not tested");
            continue;
        }
        INFO(transport);
        SnmpConfig config = config_for({agent->address(transport)});
        config.profile = "network_focus";
        Run run(std::move(config));
        REQUIRE(run.result.has_value());
        CHECK(run.emitter.metrics().at({"sysName", ""}).string_value() == "test-box");
        CHECK(run.emitter.metrics().at({"ifDescr", "1"}).string_value() == "lo");
        Run encrypted(v3_config(agent->address(transport), levels[7]));
        CHECK(encrypted.result.has_value());
    }
}

TEST_CASE("each way in which a device refuses has its own words") {
    const auto agent = Snmpd::start(users());
    if (!agent)
        return;
    const auto has = [](const std::string& text, std::string_view part) {
        INFO(text);
        CHECK(text.find(part) != std::string::npos);
        return text;
    };
    std::set<std::string> said;
    SnmpConfig community = config_for({agent->address()});
    community.community.value = "wrong";
    said.insert(has(reason(std::move(community)), "wrong community"));
    SnmpConfig auth = v3_config(agent->address(), levels[7]);
    auth.auth_password.value = "authpass2";
    said.insert(has(reason(std::move(auth)), "wrong authentication password"));
    SnmpConfig priv = v3_config(agent->address(), levels[7]);
    priv.priv_password.value = "privpass2";
    priv.timeout = std::chrono::milliseconds(200);
    said.insert(has(reason(std::move(priv)), "wrong privacy password"));
    SnmpConfig user = v3_config(agent->address(), levels[7]);
    user.user = "nobody";
    said.insert(has(reason(std::move(user)), "does not know user nobody"));
    SnmpConfig level = v3_config(agent->address(), levels[7]);
    level.priv_protocol = "none";
    level.priv_password.value = "";
    said.insert(has(reason(std::move(level)), "refuses access"));
    SnmpConfig none = v3_config(agent->address(), levels[6]);
    none.priv_password.value = "privpass1";
    said.insert(has(reason(std::move(none)), "unsupported security level"));
    SnmpConfig view = config_for({agent->address()});
    view.version = "3";
    view.user = "plain";
    view.profile = "network_focus";
    Run narrow(std::move(view));
    CHECK(narrow.emitter.metrics().size() == 1);
    CHECK(said.size() == 6);
}

TEST_CASE("dead version 3 devices cost the live ones nothing") {
    const auto agent = Snmpd::start(users());
    if (!agent)
        return;
    std::vector<std::string> targets;
    for (int i = 0; i < 100; ++i)
        targets.push_back("dead" + std::to_string(i) +
                          "=udp:127.0.0.1:" + std::to_string(free_udp_port()));
    targets.push_back("live=" + agent->address());
    SnmpConfig config = v3_config("", levels[7]);
    config.target = targets;
    config.timeout = std::chrono::milliseconds(300);
    Run run(std::move(config));
    REQUIRE(run.result.has_value());
    CHECK(run.polls("ok") == 1);
    CHECK(run.polls("no_answer") == 100);
}

TEST_CASE("two devices with one engine id are reported") {
    const auto agent = Snmpd::start(users());
    if (!agent)
        return;
    SnmpConfig config = v3_config("", levels[7]);
    config.target = {"one=" + agent->address(), "two=" + agent->address("tcp")};
    Run run(std::move(config));
    REQUIRE(run.result.has_value());
    CHECK(run.polls("ok") == 2);
    CHECK(run.registry.counter(shared_engines_metric).value() == 1);
}
