#include "modules/transformation/etl/interfaces.h"

#include <catch2/catch.hpp>

#include "core/base/test/temp_folder.h"
#include "core/module/test/feature_values.h"
#include "modules/transformation/etl/follow.h"
#include "modules/transformation/etl/incremental.h"
#include "modules/transformation/etl/test/feeder.h"
#include "modules/transformation/etl/test/list_source.h"

using namespace amoskys;
using namespace amoskys::etl;
using namespace amoskys::etl::test;

namespace {

class LastOfWindow final : public module::Extractor {
  public:
    explicit LastOfWindow(module::ColumnTable& columns) : columns_(columns) {}
    void extract(const module::Window& window, module::FeatureRow& row) override {
        for (const module::Series& series : window.series)
            row.set(columns_.add(
                        {.name = std::string(series.metric), .metric = std::string(series.metric)}),
                    series.values.back());
    }

  private:
    module::ColumnTable& columns_;
};
constexpr module::ExtractorKind last_kind = {
    .stage = "test",
    .make = [](module::ColumnTable& columns, const module::ExtractorSettings&)
        -> std::unique_ptr<module::Extractor> { return std::make_unique<LastOfWindow>(columns); }};

// Octets per second by interface: 10, 30, 20 in the training part; then the first has most. The
// loopback has more than all.
ListSource four_interfaces() {
    ListSource source;
    const auto add = [&](UnixNanos time, const char* metric, const char* index, double value) {
        source.events.push_back(counter("d", time, metric, value, index));
    };
    double first = 0;
    for (unsigned i = 0; i < 400; ++i) {
        const UnixNanos time = origin + i * 10 * second;
        if (i == 0) {
            source.events.push_back(gauge("d", time, "ifDescr", 0, "lo"));
            source.events.back().value = std::string_view("lo");
        }
        first += i < 340 ? 100 : 1e6;
        add(time, "ifInOctets", "1", first);
        add(time, "ifInOctets", "2", i * 250.0);
        add(time, "ifOutOctets", "2", i * 50.0);
        add(time, "ifInOctets", "3", i * 200.0);
        add(time, "ifInErrors", "3", i * 10.0);
        add(time, "ifInOctets", "lo", i * 9999.0);
    }
    return source;
}

RunRequest request_for(const TempFolder& folder, std::uint64_t top) {
    EtlConfig config;
    config.top_interfaces = top;
    config.lateness = std::chrono::seconds(0);
    config.format = "csv";
    config.scale = "none";
    RunRequest request = make_request(config, {.out = folder.path.string()}, origin).value();
    request.extractors = {&last_kind};
    request.writing = [](std::uint64_t) {};
    return request;
}

std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\r'));
}

}  // namespace

TEST_CASE("interfaces with most traffic are ranked, and only those are kept") {
    Baselines measured;
    measured["d"] = {{traffic_metric("1"), {.count = 10, .mean = 5}},
                     {traffic_metric("2"), {.count = 100, .mean = 1}},
                     {traffic_metric("x]y"), {.count = 1, .mean = 7}},
                     {"cpu", {.count = 1000, .mean = 100}}};
    const Baselines kept = most_traffic(measured, 2);
    CHECK(kept.at("d").size() == 2);
    CHECK(top_interfaces(kept, 2) == TopInterfaces{{"d", {{"2", 1}, {"1", 2}}}});
    CHECK(top_interfaces(measured, 3).at("d").at("x]y") == 3);
    CHECK(top_interfaces(measured, 0).empty());
}

TEST_CASE("the busiest interfaces of the training part have metrics of their own") {
    TempFolder folder;
    ListSource source = four_interfaces();
    REQUIRE(run(source, request_for(folder, 2)));
    const std::string table = folder.text("canonical_telemetry_full.csv");
    CHECK(first_line(table) ==
          "device_id,window_start,window_end,ifInErrors_rate,ifInErrors_rate_top2,ifInOctets_rate,"
          "ifInOctets_rate_top1,ifInOctets_rate_top2,ifOutOctets_rate,ifOutOctets_rate_top1,"
          "network_in_mbps,network_out_mbps,network_total_bytes,network_total_mbps");
    // The sums have all of them, as before.
    CHECK(table.find("Z,1,1,1054.9,25,20,5,5,") != std::string::npos);
    // Increments and followers take the same ones from what was learned.
    const auto metadata = json::parse(folder.text(metadata_name), "metadata").value();
    CHECK(metadata["baselines"]["d"].contains("interface_traffic[2]"));
    CHECK_FALSE(metadata["baselines"]["d"].contains("interface_traffic[1]"));
}

TEST_CASE("increments and followers keep the same interfaces apart") {
    TempFolder folder, batch_folder;
    ListSource source = four_interfaces();
    REQUIRE(run(source, request_for(batch_folder, 1)));
    ListSource half = source;
    half.events.resize(source.events.size() / 2);
    REQUIRE(run_incremental(half, request_for(folder, 1)));
    const auto told = run_incremental(source, request_for(folder, 1)).value();
    const std::string part = folder.text(told["files"][0].get<std::string>());
    CHECK(first_line(part) == first_line(batch_folder.text("canonical_telemetry_full.csv")));
    RunRequest request = request_for(batch_folder, 1);
    request.baselines = load_manifest(folder.path / manifest_name).value().baselines;
    StringSink out;
    REQUIRE(follow(source, request, out));
    CHECK(out.text.find("\"ifInOctets_rate_top1\":25") != std::string::npos);
    CHECK(out.text.find("_top2") == std::string::npos);
}
