// The collector against a real agent.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

#include "core/base/file.h"
#include "modules/collectors/snmp/test/run.h"
#include "modules/collectors/snmp/test/snmpd.h"

extern char** environ;

namespace amoskys::snmp {

int free_udp_port() {
    for (;;) {
        const FileDescriptor udp(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        const FileDescriptor tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        const auto* name = reinterpret_cast<const sockaddr*>(&address);
        REQUIRE(::bind(udp.get(), name, size) == 0);
        ::getsockname(udp.get(), reinterpret_cast<sockaddr*>(&address), &size);
        if (::bind(tcp.get(), name, size) == 0)  // snmpd listens on both
            return ntohs(address.sin_port);
    }
}

bool has_ipv6() {
    std::ifstream addresses("/proc/net/if_inet6");
    std::string line;
    while (std::getline(addresses, line))
        if (line.starts_with("00000000000000000000000000000001"))
            return true;
    return false;
}

std::unique_ptr<Snmpd> Snmpd::start(const std::string& access) {
    if (::access("/usr/sbin/snmpd", X_OK) != 0 || ::access("/usr/bin/snmpbulkwalk", X_OK) != 0) {
        WARN("snmpd or snmpbulkwalk is not installed: not tested against a real agent");
        return nullptr;
    }
    std::unique_ptr<Snmpd> agent(new Snmpd);
    std::string folder = std::filesystem::temp_directory_path() / "amoskys-snmpd-XXXXXX";
    REQUIRE(::mkdtemp(folder.data()));
    agent->folder_ = folder;
    agent->port_ = free_udp_port();
    std::ofstream(folder + "/snmpd.conf")
        << access << "sysName test-box\nsysLocation rack 7\nsysContact ops\n";
    std::array<int, 2> out{};
    REQUIRE(::pipe2(out.data(), O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, out[1], 2);
    std::vector<std::string> words{"snmpd",
                                   "-C",
                                   "-c",
                                   folder + "/snmpd.conf",
                                   "-f",
                                   "-Lo",
                                   "-r",
                                   "-I",
                                   "-smux",
                                   agent->address(),
                                   agent->address("tcp")};
    if (has_ipv6()) {
        words.push_back(agent->address("udp6"));
        words.push_back(agent->address("tcp6"));
    }
    std::vector<char*> argv;
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string persistent = "SNMP_PERSISTENT_DIR=" + folder;
    std::vector<char*> environment;
    for (char** one = environ; *one; ++one)
        environment.push_back(*one);
    std::string persistent_copy = persistent;
    environment.push_back(persistent_copy.data());
    environment.push_back(nullptr);
    REQUIRE(::posix_spawn(&agent->pid_, "/usr/sbin/snmpd", &actions, nullptr, argv.data(),
                          environment.data()) == 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(out[1]);
    // It says its version once it listens.
    std::string said;
    std::array<char, 256> buffer{};
    while (said.find("NET-SNMP version") == std::string::npos) {
        const ssize_t got = ::read(out[0], buffer.data(), buffer.size());
        if (got <= 0)
            break;
        said.append(buffer.data(), static_cast<std::size_t>(got));
    }
    ::close(out[0]);
    INFO(said);
    REQUIRE(said.find("NET-SNMP version") != std::string::npos);
    return agent;
}

Snmpd::~Snmpd() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void Snmpd::stop() {
    ::kill(pid_, SIGSTOP);
}

std::map<std::string, std::string> Snmpd::walk(const std::string& oid) const {
    const std::string command =
        "env MIBS= SNMPCONFPATH=/nonexistent SNMP_PERSISTENT_DIR=" + folder_ +
        " snmpbulkwalk -v2c -c public -OnQUet 127.0.0.1:" + std::to_string(port_) + " " + oid +
        " 2>/dev/null";
    std::FILE* pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe);
    std::map<std::string, std::string> out;
    std::array<char, 4096> line{};
    while (std::fgets(line.data(), line.size(), pipe)) {
        std::string text(line.data());
        while (text.ends_with('\n'))
            text.pop_back();
        // snmpbulkwalk escapes quotes and backslashes.
        for (auto at = text.find('\\'); at != std::string::npos; at = text.find('\\', at + 1))
            text.erase(at, 1);
        if (const auto middle = text.find(" = ");
            text.starts_with('.') && middle != std::string::npos)
            out[text.substr(1, middle - 1)] = text.substr(middle + 3);
    }
    ::pclose(pipe);
    return out;
}

}  // namespace amoskys::snmp

using namespace amoskys;
using namespace amoskys::snmp;
using messaging::MetricData;

namespace {

// Constant: equal in both walks and in the poll. Moving: the poll lies between the walks.
void compare(const Metric& metric, const MetricData& data, const std::string& before,
             const std::string& after) {
    INFO(metric.name << " " << data.index() << ": walked " << before << " then " << after);
    if (metric.kind == MetricKind::text) {
        if (before == after && before.starts_with('"') && before.ends_with('"'))
            CHECK('"' + data.string_value() + '"' == before);
        return;
    }
    const auto number = [](std::string text) {
        std::erase(text, '"');
        return std::stod(text);
    };
    const double low = std::min(number(before), number(after)),
                 high = std::max(number(before), number(after));
    if (metric.kind == MetricKind::counter || before == after) {
        CHECK(data.numeric_value() >= low);
        CHECK(data.numeric_value() <= high);
    }
}

}  // namespace

TEST_CASE("what is collected from a real snmpd is what snmpwalk reads before and after") {
    const auto agent = Snmpd::start(std::string(full_view));
    if (!agent)
        return;
    const auto profile = find_profile("default");
    REQUIRE(profile.has_value());
    std::map<std::string, std::string> before = agent->walk("1.3.6.1.2.1"), after;
    before.merge(agent->walk("1.3.6.1.4.1.2021"));
    Run run(config_for({agent->address()}));
    after = agent->walk("1.3.6.1.2.1");
    after.merge(agent->walk("1.3.6.1.4.1.2021"));
    REQUIRE(run.result.has_value());
    const auto got = run.emitter.metrics();
    REQUIRE(got.at({"sysUpTime", ""}).numeric_value() < 1000);
    std::size_t compared = 0;
    const auto check_one = [&](const Metric& metric, const std::string& oid,
                               const std::string& index) {
        if (!metric.stored || !before.contains(oid) || !after.contains(oid))
            return;
        INFO(metric.name << " " << index);
        const auto found = got.find({metric.name, index});
        if (metric.settles_s > 0) {  // of an agent that was started just now: not its zeros
            CHECK((found == got.end() || found->second.numeric_value() > 0));
            return;
        }
        REQUIRE(found != got.end());
        compare(metric, found->second, before[oid], after[oid]);
        CHECK(found->second.labels().at("source") == "snmp");
        CHECK(found->second.metric_type() ==
              (metric.kind == MetricKind::counter ? "COUNTER" : "GAUGE"));
        CHECK(found->second.unit() == metric.unit);
        ++compared;
    };
    for (const Metric& metric : (*profile)->scalars)
        check_one(metric, format_oid(metric.oid), "");
    for (const Table& table : (*profile)->tables)
        for (const Metric& metric : table.columns) {
            const std::string column = format_oid(metric.oid) + '.';
            for (const auto& [oid, value] : before)
                if (oid.starts_with(column))
                    check_one(metric, oid, oid.substr(column.size()));
        }
    CHECK(compared > 50);
    CHECK(run.emitter.flushes == 1);
    CHECK(run.polls("ok") == 1);
    const auto& record = run.emitter.records.front();
    CHECK(record.device_id() == "127.0.0.1");
    CHECK(record.protocol() == "SNMP");
    CHECK(record.collection_agent() == "amoskys-snmp");
    CHECK(record.metadata().physical_location() == "rack 7");
    CHECK(record.metadata().custom_properties().at("sysName") == "test-box");
    CHECK(record.metadata().custom_properties().at("sysObjectID").starts_with("1.3.6.1.4.1.8072."));
    CHECK(got.at({"ifOperStatus", "1"}).labels().at("name") == "up");
    CHECK(got.at({"ifInOctets", "1"}).labels().at("ifDescr") == "lo");
}

TEST_CASE("Debian's restricted view gives the five values that exist") {
    const auto agent = Snmpd::start(std::string(debian_view));
    if (!agent)
        return;
    for (const char* version : {"1", "2c"}) {
        INFO(version);
        SnmpConfig config = config_for({agent->address()});
        config.version = version;
        Run run(std::move(config));
        REQUIRE(run.result.has_value());
        std::set<std::string> names;
        for (const auto& [key, data] : run.emitter.metrics())
            names.insert(key.first);
        CHECK(names == std::set<std::string>{"sysContact", "sysDescr", "sysLocation", "sysName",
                                             "sysUpTime"});
        CHECK(run.registry.counter(missing_metric).value() ==
              (*find_profile("default"))->stored_metrics() - 5);
    }
}

TEST_CASE("version 1 reads the same rows as version 2c, but for 64-bit counters") {
    const auto agent = Snmpd::start(std::string(full_view));
    if (!agent)
        return;
    SnmpConfig config = config_for({agent->address()});
    config.version = "1";
    Run old_version(std::move(config));
    Run new_version(config_for({agent->address()}));
    REQUIRE(old_version.result.has_value());
    const auto v1 = old_version.emitter.metrics(), v2c = new_version.emitter.metrics();
    CHECK_FALSE(v1.contains({"ifHCInOctets", "1"}));
    for (const auto& [key, data] : v2c) {
        INFO(key.first << " " << key.second);
        if (key.first.starts_with("ifHC") || key.first.ends_with("X") ||
            key.first.starts_with("hrSWRun") || key.first == "memSysAvail" ||
            key.first == "hrProcessorLoad" || key.first == "memUsedPercent")
            continue;
        CHECK(v1.contains(key));
    }
}

TEST_CASE("a dead port ends --once as unavailable, within its timeouts, with one clear line") {
    const std::string target = "udp:127.0.0.1:" + std::to_string(free_udp_port());
    const auto begin = std::chrono::steady_clock::now();
    Run run(config_for({target}));
    const auto took = std::chrono::steady_clock::now() - begin;
    REQUIRE_FALSE(run.result.has_value());
    CHECK(run.result.error().kind == ErrorKind::unavailable);
    CHECK(run.result.error().message ==
          target +
              ": no answer in 2 tries of 300 ms, doubling: nothing listens on this port (the "
              "host says port unreachable)");
    CHECK(run.emitter.records.empty());
    CHECK(run.polls("no_answer") == 1);
    CHECK(run.registry.counter(retries_metric).value() == 1);
    CHECK(took >= std::chrono::milliseconds(900));
    CHECK(took < std::chrono::milliseconds(2000));
}

TEST_CASE(
    "a wrong community is no answer, and a name that does not exist or a dead TCP port says so") {
    const auto agent = Snmpd::start(std::string(full_view));
    if (!agent)
        return;
    SnmpConfig config = config_for({agent->address()});
    config.community.value = "wrong";
    Run run(std::move(config));
    REQUIRE_FALSE(run.result.has_value());
    CHECK(run.result.error().message.find("wrong community") != std::string::npos);

    Run nowhere(config_for({"tcp:127.0.0.1:" + std::to_string(free_udp_port())}));
    REQUIRE_FALSE(nowhere.result.has_value());
    CHECK(nowhere.result.error().message.find("connecting: Connection refused") !=
          std::string::npos);
}

TEST_CASE("dead targets cost the live ones nothing, and are published as offline") {
    const auto agent = Snmpd::start(std::string(full_view));
    if (!agent)
        return;
    std::vector<std::string> targets;
    for (int i = 0; i < 100; ++i)
        targets.push_back("dead" + std::to_string(i) +
                          "=udp:127.0.0.1:" + std::to_string(free_udp_port()));
    targets.push_back("live=udp:localhost:" + std::to_string(agent->port()));
    SnmpConfig config = config_for(targets);
    config.max_in_flight = 16;
    Run run(std::move(config));
    REQUIRE(run.result.has_value());
    CHECK(run.polls("ok") == 1);
    CHECK(run.polls("no_answer") == 100);
    CHECK(run.registry.gauge(devices_metric, "offline").value() == 100);
    std::set<std::string> offline;
    for (const auto& record : run.emitter.records)
        if (record.events(0).status_data().status() == "offline")
            offline.insert(record.device_id());
    CHECK(offline.size() == 100);
}
