#include "modules/collectors/snmp/profile.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

using namespace amoskys;
using namespace amoskys::snmp;

namespace {

std::string errors_of(std::string_view yaml) {
    const auto profile = parse_profile(yaml, "p.yaml");
    REQUIRE_FALSE(profile.has_value());
    CHECK(profile.error().kind == ErrorKind::config);
    return profile.error().message;
}

const Metric* find_metric(const Profile& profile, std::string_view name) {
    for (const Metric& metric : profile.scalars)
        if (metric.name == name)
            return &metric;
    for (const Table& table : profile.tables)
        for (const Metric& metric : table.columns)
            if (metric.name == name)
                return &metric;
    return nullptr;
}

}  // namespace

TEST_CASE("the embedded default profile has the earlier system's 29 metrics") {
    const auto profile = find_profile("default");
    REQUIRE(profile.has_value());
    for (const char* name : {"sysDescr",
                             "sysUpTime",
                             "sysContact",
                             "sysName",
                             "sysLocation",
                             "hrProcessorLoad",
                             "hrMemorySize",
                             "hrStorageDescr",
                             "hrStorageAllocationUnits",
                             "hrStorageSize",
                             "hrStorageUsed",
                             "diskIODevice",
                             "diskIOReads",
                             "diskIOWrites",
                             "ifDescr",
                             "ifType",
                             "ifSpeed",
                             "ifOperStatus",
                             "ifInOctets",
                             "ifInErrors",
                             "ifOutOctets",
                             "ifOutErrors",
                             "hrSWRunName",
                             "hrSWRunPath",
                             "hrSWRunParameters",
                             "hrSWRunStatus",
                             "laLoad1",
                             "laLoad5",
                             "laLoad15"}) {
        INFO(name);
        const Metric* metric = find_metric(**profile, name);
        REQUIRE(metric);
        CHECK(metric->stored);
    }
    CHECK(find_metric(**profile, "ifHCInOctets")->kind == MetricKind::counter);
}

TEST_CASE("the default profile counts disk accesses, not bytes, as reads and writes") {
    const auto profile = find_profile("default");
    REQUIRE(profile.has_value());
    CHECK(format_oid(find_metric(**profile, "diskIOReads")->oid) == "1.3.6.1.4.1.2021.13.15.1.1.5");
    CHECK(format_oid(find_metric(**profile, "diskIOWrites")->oid) ==
          "1.3.6.1.4.1.2021.13.15.1.1.6");
    CHECK(find_metric(**profile, "sysUpTime")->kind == MetricKind::gauge);
    CHECK(find_metric(**profile, "laLoad1")->read == Read::number);
}

TEST_CASE("every embedded profile parses under its own name") {
    for (const EmbeddedFile& embedded : embedded_profiles()) {
        INFO(embedded.name);
        const auto profile = find_profile(profile_name(embedded));
        REQUIRE(profile.has_value());
        CHECK(parse_profile(embedded.content, "")->name == profile_name(embedded));
    }
}

TEST_CASE(
    "the earlier profiles have the earlier contents, without what stands in two of them twice") {
    const auto names = [](const char* profile) {
        std::set<std::string> out;
        const auto found = find_profile(profile);
        REQUIRE(found.has_value());
        std::size_t metrics = 0;
        const auto add = [&](const Metric& metric) {
            if (!metric.stored)
                return;
            ++metrics;
            out.insert(metric.name);
        };
        std::ranges::for_each((*found)->scalars, add);
        for (const Table& table : (*found)->tables)
            std::ranges::for_each(table.columns, add);
        CHECK(out.size() == metrics);
        return out;
    };
    const std::set<std::string> system{"sysDescr", "sysUpTime", "sysContact", "sysName",
                                       "sysLocation"};
    CHECK(names("minimal") == system);
    CHECK(names("standard").size() == 5 + 1 + 5);
    for (const char* metric : {"laLoad15", "diskIOReads", "hrStorageUsed", "hrProcessorLoad"})
        CHECK(names("performance").contains(metric));
    CHECK_FALSE(names("performance").contains("ifDescr"));
    CHECK(names("network_focus").contains("ifHCInOctets"));
    auto both = names("performance");
    both.merge(names("network_focus"));
    CHECK(names("full") == both);
    CHECK(names("network_focus+performance") == both);
}

TEST_CASE("an unknown profile is refused with those that exist and the nearest one") {
    const auto profile = find_profile("defualt");
    REQUIRE_FALSE(profile.has_value());
    CHECK(profile.error().message.find("default") != std::string::npos);
    CHECK(profile.error().hint == "did you mean default?");
}

TEST_CASE("profile errors carry line and column and come all at once") {
    const std::string errors = errors_of(
        "profile: p\n"
        "scalars:\n"
        "  - {metric: a, oid: 1.3.x, type: text}\n"
        "  - {metric: b, oid: 1.3.6, type: gage, unit: bytes}\n"
        "  - {metrik: c, oid: 1.3.7, type: text}\n");
    CHECK(errors.find("p.yaml:3:22: 1.3.x: an OID in numbers is wanted") != std::string::npos);
    CHECK(errors.find("p.yaml:4:35: gage: allowed are gauge, counter, text") != std::string::npos);
    CHECK(errors.find("p.yaml:5:6: unknown key metrik in metric; did you mean metric?") !=
          std::string::npos);
}

TEST_CASE(
    "a profile refuses twice the same key or metric, a lost unit and a label without column") {
    CHECK(errors_of("profile: p\nprofile: q\nscalars: [{metric: a, oid: 1.3, type: text}]\n")
              .find("2:1: key profile stands here twice") != std::string::npos);
    CHECK(errors_of("profile: p\nscalars: [{metric: a, oid: 1.3, type: text}, {metric: a, oid: "
                    "1.4, type: text}]\n")
              .find("metric a stands in this profile twice") != std::string::npos);
    CHECK(errors_of("profile: p\nscalars: [{metric: a, oid: 1.3, type: gauge}]\n")
              .find("unit is missing") != std::string::npos);
    CHECK(errors_of("profile: p\ntables: [{table: t, labels: [z], columns: [{metric: a, oid: 1.3, "
                    "type: text}]}]\n")
              .find("label z: no column of this table has that name") != std::string::npos);
}

TEST_CASE("what is not YAML, not a mapping, or empty is one error") {
    CHECK(errors_of("a: [").starts_with("p.yaml:1:"));
    CHECK(errors_of("").find("mapping is wanted") != std::string::npos);
    CHECK(errors_of("- 1\n").find("mapping is wanted") != std::string::npos);
    CHECK(errors_of("profile: p\n").find("at least one scalar or table") != std::string::npos);
    CHECK(errors_of(std::string(2'000'000, ' ')).find("at most 1 MiB") != std::string::npos);
    CHECK(errors_of(std::string(100'000, '[')).starts_with("p.yaml:1:"));
}

TEST_CASE("OIDs are read with and without leading dot, and only as numbers") {
    CHECK(parse_oid(".1.3.6") == Oid{1, 3, 6});
    CHECK(parse_oid("1.3.6.4294967295") == Oid{1, 3, 6, 4294967295U});
    for (const char* wrong : {"", ".", "1.", "1..3", "1.3.", "a", "1.-3", "1.4294967296", "1.3 "}) {
        INFO(wrong);
        CHECK_FALSE(parse_oid(wrong).has_value());
    }
    CHECK(Oid{1, 3} < Oid{1, 3, 0});
    CHECK(Oid{1, 3, 9} < Oid{1, 3, 10});
}
