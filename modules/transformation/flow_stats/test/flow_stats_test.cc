#include "modules/transformation/flow_stats/flow_stats.h"

#include <catch2/catch.hpp>

#include "core/module/test/feature_values.h"

using namespace amoskys;
using Sample = module::FlowSample;

namespace {

constexpr UnixNanos second = 1'000'000'000;

module::test::Values row_of(const std::vector<Sample>& samples) {
    module::Window window{.device = "d", .start_ns = 0, .end_ns = 60 * second};
    window.flows = samples;
    return module::test::values_of(flow_stats::make_extractor, window);
}

Sample tcp(std::uint64_t source, std::uint64_t target, std::uint16_t port, UnixNanos start_s = 1) {
    Sample out;
    out.start_ns = start_s * second;
    out.time_ns = out.start_ns + 2 * second;
    out.source = source;
    out.target = target;
    out.target_port = port;
    out.is_tcp = true;
    return out;
}

}  // namespace

TEST_CASE("volumes are summed per direction and what no flow says is missing") {
    auto a = tcp(1, 2, 80), b = tcp(1, 3, 80);
    a.bytes_sent = 100;
    a.bytes_recv = 300;
    b.bytes_sent = 50;
    b.bytes_recv = 50;
    b.packets_sent = 3;
    b.begins = false;
    const auto row = row_of({a, b});
    CHECK(row.at("flow_count") == 2);
    CHECK(row.at("flow_new") == 1);
    CHECK(row.at("flow_bytes_sent") == 150);
    CHECK(row.at("flow_bytes_recv") == 350);
    CHECK(row.at("flow_packets_sent") == 3);
    CHECK(row.count("flow_packets_recv") == 0);
    CHECK(row.at("flow_sent_share") == 0.3);
    CHECK(row.at("flow_bytes_mean") == 250);
    CHECK(row.at("flow_duration_mean") == 2);
}

TEST_CASE("peers and ports are counted and their entropy is in bits") {
    auto ping = tcp(1, 9, 0);
    ping.is_tcp = false;
    const auto row = row_of({tcp(1, 2, 80), tcp(1, 2, 443), tcp(1, 3, 80), tcp(1, 3, 80), ping});
    CHECK(row.at("flow_unique_sources") == 1);
    CHECK(row.at("flow_source_entropy") == 0);
    CHECK(row.at("flow_unique_peers") == 3);
    CHECK(row.at("flow_unique_ports") == 2);
    CHECK(row.at("flow_port_entropy") == Approx(2 - 0.75 * std::log2(3.0)).epsilon(1e-14));
    CHECK(row.at("flow_tcp_share") == 0.8);
    CHECK(row.at("flow_udp_share") == 0);
}

TEST_CASE("failures are a share of the flows with a state, unfinished attempts one of TCP") {
    auto refused = tcp(1, 2, 80), fine = tcp(1, 2, 80), unknown = tcp(1, 2, 80);
    refused.has_state = fine.has_state = true;
    refused.failed = refused.only_syn = true;
    const auto row = row_of({refused, fine, unknown, unknown});
    CHECK(row.at("flow_failed_share") == 0.5);
    CHECK(row.at("flow_syn_share") == 0.25);
    auto udp = tcp(1, 2, 53);
    udp.is_tcp = false;
    udp.is_udp = true;
    const auto other = row_of({udp});
    CHECK(other.count("flow_syn_share") == 0);
    CHECK(other.count("flow_failed_share") == 0);
}

TEST_CASE("a scan of ports and a scan of hosts are told apart") {
    std::vector<Sample> ports, hosts;
    for (std::uint16_t i = 1; i <= 40; ++i) {
        ports.push_back(tcp(1, 2, i));
        ports.push_back(tcp(3, 2, 80));
        hosts.push_back(tcp(1, 100U + i, 22));
    }
    CHECK(row_of(ports).at("flow_scan_ports") == 40);
    CHECK(row_of(ports).at("flow_scan_hosts") == 1);
    CHECK(row_of(hosts).at("flow_scan_ports") == 1);
    CHECK(row_of(hosts).at("flow_scan_hosts") == 40);
}

TEST_CASE("flows at even distances are a beacon, others less, few say nothing") {
    std::vector<Sample> even, uneven;
    for (const UnixNanos start : {30, 10, 20, 40})
        even.push_back(tcp(1, 2, 443, start));
    for (const UnixNanos start : {1, 2, 20, 22, 50})
        uneven.push_back(tcp(1, 2, 443, start));
    CHECK(row_of(even).at("flow_beacon") == 1);
    CHECK(row_of(uneven).at("flow_beacon") < 0.2);
    CHECK(row_of({even[0], even[1], even[2], tcp(1, 2, 80)}).count("flow_beacon") == 0);
    CHECK(row_of({tcp(1, 2, 1), tcp(1, 2, 1), tcp(1, 2, 1), tcp(1, 2, 1)}).at("flow_beacon") == 0);
}

TEST_CASE("a window without flows has no columns") {
    CHECK(row_of({}).empty());
}
