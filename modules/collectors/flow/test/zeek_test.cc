// Conformity with Zeek: the rows of its baseline conn.log for each of its traces, column by column.
// Differences that are meant stand in zeek_exceptions.tsv; nothing else may differ, no exception
// may be left over, and at most 5 % of the rows of a trace with 20 rows may have one.
#include <fstream>
#include <map>
#include <set>

#include "core/base/text.h"
#include "modules/collectors/flow/filter.h"
#include "modules/collectors/flow/test/trace_run.h"

using namespace amoskys;
using namespace amoskys::flow;

namespace {

using Row = std::map<std::string, std::string>;

const std::filesystem::path zeek = std::filesystem::path(AMOSKYS_SHARED_DATA) / "pcap/zeek";
const std::filesystem::path here =
    std::filesystem::path(AMOSKYS_SOURCE_DIR) / "modules/collectors/flow/test";

std::vector<std::string> fields(const std::string& line) {
    std::vector<std::string> out;
    for (const std::string_view part : split(line, '\t'))
        out.emplace_back(part);
    return out;
}

std::vector<std::vector<std::string>> table(const std::filesystem::path& path) {
    std::ifstream in(path);
    std::vector<std::vector<std::string>> out;
    for (std::string line; std::getline(in, line);)
        if (!line.empty() && line[0] != '#')
            out.push_back(fields(line));
    return out;
}

// With or without a #fields line; the two logs without any header have these columns.
std::vector<Row> baseline(const std::filesystem::path& path) {
    std::ifstream in(path);
    std::vector<std::string> names;
    std::vector<Row> out;
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("#fields")) {
            names = fields(line);
            names.erase(names.begin());
        } else if (!line.starts_with("#") && names.empty()) {
            names = fields(line);
            if (!line.starts_with("ts") && !line.starts_with("id.") && !line.starts_with("uid")) {
                names = {"id.orig_h", "id.orig_p", "id.resp_h",   "id.resp_p",
                         "proto",     "service",   "community_id"};
                out.emplace_back();
                const auto values = fields(line);
                for (std::size_t i = 0; i < names.size(); ++i)
                    out.back()[names[i]] = values.at(i);
            }
        } else if (!line.starts_with("#")) {
            out.emplace_back();
            const auto values = fields(line);
            REQUIRE(values.size() == names.size());
            for (std::size_t i = 0; i < names.size(); ++i)
                out.back()[names[i]] = values[i];
        }
    }
    return out;
}

std::string or_dash(const std::string& text) {
    return text.empty() ? "-" : text;
}

// Our record with Zeek's names and words.
Row as_zeek(const messaging::FlowEvent& event) {
    Row row;
    row["id.orig_h"] = event.src_ip();
    row["id.resp_h"] = event.dst_ip();
    row["id.orig_p"] = std::to_string(event.src_port());
    row["id.resp_p"] = std::to_string(event.dst_port());
    row["proto"] = event.protocol() == "TCP"   ? "tcp"
                   : event.protocol() == "UDP" ? "udp"
                   : event.protocol() == "ICMP" || event.protocol() == "ICMP6"
                       ? "icmp"
                       : "unknown_transport";
    row["orig_pkts"] = std::to_string(event.packets_sent());
    row["resp_pkts"] = std::to_string(event.packets_recv());
    row["orig_ip_bytes"] = std::to_string(event.ip_bytes_sent());
    row["resp_ip_bytes"] = std::to_string(event.ip_bytes_recv());
    row["orig_bytes"] = std::to_string(event.payload_bytes_sent());
    row["resp_bytes"] = std::to_string(event.payload_bytes_recv());
    row["missed_bytes"] = std::to_string(event.missed_bytes_sent() + event.missed_bytes_recv());
    row["conn_state"] = event.conn_state();
    row["history"] = or_dash(event.history());
    row["community_id"] = event.community_id();
    const std::string vlan = event.has_vlan() ? std::to_string(event.vlan()) : "-";
    const std::string inner = event.has_inner_vlan() ? std::to_string(event.inner_vlan()) : "-";
    row["vlan"] = row["id.ctx.vlan"] = vlan;
    row["inner_vlan"] = row["id.ctx.inner_vlan"] = inner;
    return row;
}

// Logs without the 5-tuple have one row.
std::string tuple(const Row& row) {
    std::string out;
    for (const char* name : {"id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"})
        if (const auto at = row.find(name); at != row.end())
            out += (out.empty() ? "" : " ") + at->second;
    return out;
}

struct Difference {
    std::string row, column, expected, ours;
};

std::vector<Difference> differences(const Row& expected, const Row& ours) {
    std::vector<Difference> out;
    for (const auto& [name, value] : expected) {
        const auto at = ours.find(name);
        if (at == ours.end())
            continue;  // uid, service, local_orig ...
        // Zeek leaves the bytes out where the duration is zero.
        const bool no_bytes = value == "-" && (name == "orig_bytes" || name == "resp_bytes");
        if (at->second != value && !no_bytes)
            out.push_back({tuple(expected), name, value, at->second});
    }
    return out;
}

// Pairs rows of the same 5-tuple so that as little as possible differs.
std::vector<Difference> compare(std::vector<Row> expected, std::vector<Row> ours) {
    std::vector<Difference> out;
    for (const Row& row : expected) {
        const std::string wanted = tuple(row);
        std::size_t best = ours.size();
        std::vector<Difference> least;
        for (std::size_t i = 0; i < ours.size(); ++i) {
            if (!wanted.empty() && tuple(ours[i]) != wanted)
                continue;
            auto found = differences(row, ours[i]);
            if (best == ours.size() || found.size() < least.size()) {
                best = i;
                least = std::move(found);
            }
        }
        if (best == ours.size()) {
            out.push_back({wanted, "row", "there", "missing"});
            continue;
        }
        ours.erase(ours.begin() + static_cast<std::ptrdiff_t>(best));
        out.insert(out.end(), least.begin(), least.end());
    }
    for (const Row& row : ours)
        out.push_back({tuple(row), "row", "none", "there"});
    return out;
}

struct Exceptions {
    // (test, 5-tuple, column)
    std::set<std::tuple<std::string, std::string, std::string>> left;
    Exceptions() {
        for (const auto& line : table(here / "zeek_exceptions.tsv")) {
            REQUIRE(line.size() == 4);
            REQUIRE_FALSE(line[3].empty());
            left.insert({line[0], line[1], line[2]});
        }
    }
};

void check_trace(const std::string& test, const std::string& log, const std::string& trace,
                 bool verify, const std::string& expression, Exceptions& exceptions,
                 std::set<std::tuple<std::string, std::string, std::string>>& used) {
    EngineOptions options;
    options.verify_checksums = verify;
    auto filter = Filter::make(expression);
    auto port_80 = Filter::make("port 80"), port_53 = Filter::make("port 53");
    REQUIRE(filter.has_value());
    std::size_t taken = 0;
    // That test changes the filter after the first and after the second packet.
    const bool changes = test == "core.pcap.dynamic-filter";
    const auto wanted = [&](const Frame& frame) {
        const auto& in_force = !changes || taken == 0 ? *filter : taken == 1 ? *port_80 : *port_53;
        Filter copy = in_force;
        const auto match = copy.matches(frame);
        REQUIRE(match.has_value());
        taken += *match ? 1 : 0;
        return *match;
    };
    const auto result = run_trace(zeek / "traces" / trace, options, wanted);
    std::vector<Row> ours;
    for (const auto& event : result.events)
        ours.push_back(as_zeek(event));
    const auto expected = baseline(zeek / "expected" / test / log);
    REQUIRE_FALSE(expected.empty());
    std::set<std::string> rows_with_exception;
    for (const Difference& difference : compare(expected, ours)) {
        const std::tuple key{test, difference.row, difference.column};
        if (exceptions.left.contains(key)) {
            used.insert(key);
            rows_with_exception.insert(difference.row);
            continue;
        }
        INFO(test << " [" << trace << "] " << difference.row << ": " << difference.column
                  << ": Zeek " << difference.expected << ", here " << difference.ours);
        CHECK(false);
    }
    if (expected.size() >= 20)
        CHECK(rows_with_exception.size() * 20 <= expected.size());
}

}  // namespace

TEST_CASE("rows of Zeek's traces equal its conn.log") {
    if (!have_traces(zeek))
        return;
    Exceptions exceptions;
    std::set<std::tuple<std::string, std::string, std::string>> used;
    auto tests = table(zeek / "TESTS.tsv");
    tests.erase(tests.begin());
    std::size_t compared = 0;
    for (const auto& line : tests) {
        const std::string &test = line.at(0), &trace = line.at(1);
        const bool verify = line.at(2) == "no";
        const std::string filter = line.at(3) == "-" ? "" : line.at(3);
        for (const auto& entry : std::filesystem::directory_iterator(zeek / "expected" / test)) {
            const std::string log = entry.path().filename().string();
            std::string from = trace;
            if (log == "conn.log.ctu")
                from = "tcp/ctu-64702-888.pcap";
            check_trace(test, log, from, verify, filter, exceptions, used);
            ++compared;
        }
    }
    CHECK(compared == 40);
    for (const auto& [test, row, column] : exceptions.left) {
        INFO("exception without a difference: " << test << " " << row << " " << column);
        CHECK(used.contains({test, row, column}));
    }
}
