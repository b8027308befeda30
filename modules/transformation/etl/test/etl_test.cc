#include "modules/transformation/etl/etl.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/base/file.h"
#include "core/base/test/temp_folder.h"
#include "core/base/text.h"
#include "modules/transformation/etl/test/feeder.h"
#include "modules/transformation/etl/test/list_source.h"

using namespace amoskys;
using namespace amoskys::etl;
using namespace amoskys::etl::test;

namespace {

const std::string table_name = "canonical_telemetry_full.csv";

class Means final : public module::Extractor {
  public:
    explicit Means(module::ColumnTable& columns) : columns_(columns) {}
    void extract(const module::Window& window, module::FeatureRow& row) override {
        for (const module::Series& series : window.series)
            row.set(columns_.add({.name = std::string(series.metric) + "_first",
                                  .metric = std::string(series.metric),
                                  .unit = std::string(series.unit),
                                  .stage = "test",
                                  .formula = "first sample"}),
                    series.values.front());
    }

  private:
    module::ColumnTable& columns_;
};
constexpr module::ExtractorKind means_kind = {
    .stage = "test",
    .make = [](module::ColumnTable& columns, const module::ExtractorSettings&)
        -> std::unique_ptr<module::Extractor> { return std::make_unique<Means>(columns); }};

RunRequest request_for(const TempFolder& folder) {
    RunConfig options;
    options.out = folder.path.string();
    RunRequest request = make_request({}, options, origin).value();
    request.extractors = {&means_kind};
    request.writing = [](std::uint64_t) {};
    return request;
}

ListSource two_devices() {
    ListSource source;
    for (unsigned i = 0; i < 6; ++i)
        for (const char* device : {"b,\"1\"", "a"}) {
            source.events.push_back(gauge(device, origin + i * 10 * second, "z", 1.0 / 3));
            if (device[0] == 'a')
                source.events.push_back(gauge(device, origin + i * 10 * second, "m", 7e9));
        }
    return source;
}

}  // namespace

TEST_CASE("the table is sorted by device and window, columns by metric, missing cells empty") {
    TempFolder folder;
    ListSource source = two_devices();
    const auto summary = run(source, request_for(folder)).value();
    CHECK(folder.text(table_name) ==
          "device_id,window_start,window_end,m_first,z_first\r\n"
          "a,2024-10-27T03:33:30.000000000Z,2024-10-27T03:34:30.000000000Z,7e+09,0.333333333\r\n"
          "\"b,\"\"1\"\"\",2024-10-27T03:33:30.000000000Z,2024-10-27T03:34:30.000000000Z,,"
          "0.333333333\r\n");
    CHECK(summary["rows"] == 2);
    CHECK(summary["devices"] == 2);
    CHECK(summary["samples"]["used"] == 18);
    CHECK(folder.names() == std::vector<std::string>{
                                "canonical_telemetry_full.csv", "canonical_telemetry_full.parquet",
                                "feature_correlations.svg", "feature_metadata.json",
                                "normalized_distributions.svg", "pipeline_summary.json",
                                "quality_report.json", "temporal_patterns.svg",
                                "train_features.csv", "train_features.parquet", "val_features.csv",
                                "val_features.parquet"});
    CHECK(summary["output_files"]["full_parquet"] ==
          (folder.path / "canonical_telemetry_full.parquet").string());
}

TEST_CASE("metadata describes each column with its statistics") {
    TempFolder folder;
    ListSource source = two_devices();
    REQUIRE(run(source, request_for(folder)));
    const auto metadata = json::parse(folder.text(metadata_name), "metadata").value();
    CHECK(metadata["schema"] == "amoskys.feature_metadata/1");
    REQUIRE(metadata["columns"].size() == 5);
    const auto& m = metadata["columns"][3];
    CHECK(m["name"] == "m_first");
    CHECK(m["dtype"] == "float64");
    CHECK(m["formula"] == "first sample");
    CHECK(m["statistics"]["count"] == 1);
    CHECK(m["statistics"]["missing"] == 1);
    CHECK(m["statistics"]["mean"] == 7e9);
}

TEST_CASE("a log without metrics gives a header and no rows") {
    TempFolder folder;
    ListSource source;
    source.events.push_back(gauge("d", origin, "m", 1));
    source.events.back().kind = wire::EventKind::flow;
    const auto summary = run(source, request_for(folder)).value();
    CHECK(folder.text(table_name) == "device_id,window_start,window_end\r\n");
    CHECK(summary["rows"] == 0);
    CHECK(summary["first_time"].is_null());
}

TEST_CASE("a log that cannot be read to its end leaves the old table") {
    TempFolder folder;
    REQUIRE(write_file_atomic(folder.path / table_name, "old", 0644));
    ListSource source = two_devices();
    source.fails = true;
    const auto failed = run(source, request_for(folder));
    REQUIRE(failed.has_error());
    CHECK(failed.error().code == "broken");
    CHECK(folder.names() == std::vector<std::string>{"canonical_telemetry_full.csv"});
    CHECK(folder.text(table_name) == "old");
}

TEST_CASE("a folder that another etl writes is refused") {
    TempFolder folder;
    const int other = ::open(folder.path.c_str(), O_RDONLY | O_DIRECTORY);
    REQUIRE(::flock(other, LOCK_EX) == 0);
    ListSource source = two_devices();
    const auto refused = run(source, request_for(folder));
    REQUIRE(refused.has_error());
    CHECK(refused.error().kind == ErrorKind::unavailable);
    ::close(other);
}

TEST_CASE("options that contradict each other are refused") {
    RunConfig options{.out = "x", .since = "2026-01-02", .until = "2026-01-01"};
    CHECK((make_request({}, options, origin)).has_error());
    EtlConfig config;
    config.window = std::chrono::hours(24);
    config.step = std::chrono::milliseconds(1);
    const auto refused = make_request(config, {.out = "x"}, origin);
    REQUIRE(refused.has_error());
    CHECK(refused.error().kind == ErrorKind::usage);
}

TEST_CASE("a threshold is a metric and a number") {
    CHECK(parse_threshold("a=b=1e3").value() == std::pair<std::string, double>("a=b", 1000));
    for (const char* bad : {"", "a", "=1", "a=", "a=1x", "a=nan", "a=inf"})
        CHECK(check_threshold(bad).has_error());
}

TEST_CASE("a run in one format leaves no table of an earlier run in the other") {
    TempFolder folder;
    ListSource source = two_devices();
    REQUIRE(run(source, request_for(folder)));
    RunConfig options;
    options.out = folder.path.string();
    EtlConfig config;
    config.format = "parquet";
    RunRequest request = make_request(config, options, origin).value();
    request.extractors = {&means_kind};
    request.writing = [](std::uint64_t) {};
    const auto summary = run(source, request).value();
    CHECK_FALSE(fs::exists(folder.path / table_name));
    CHECK(fs::exists(folder.path / "canonical_telemetry_full.parquet"));
    CHECK_FALSE(summary["output_files"].contains("full_csv"));
}

TEST_CASE("training and validation tables are the device's older and newer windows, scaled") {
    TempFolder folder;
    ListSource source;
    for (unsigned i = 0; i < 600; ++i)
        source.events.push_back(gauge("a", origin + i * 10 * second, "m", i));
    RunConfig options;
    options.out = folder.path.string();
    EtlConfig config;
    RunRequest request = make_request(config, options, origin).value();
    request.extractors = {&means_kind};
    request.writing = [](std::uint64_t) {};
    const auto summary = run(source, request).value();
    const std::string train = folder.text("train_features.csv"),
                      validation = folder.text("val_features.csv");
    const auto rows = [](const std::string& text) {
        return std::count(text.begin(), text.end(), '\n') - 1;
    };
    CHECK(rows(train) == summary["train_samples"]);
    CHECK(rows(validation) == summary["val_samples"]);
    CHECK(rows(train) + rows(validation) < summary["rows"]);  // the embargo is in neither
    CHECK(rows(train) > 3 * rows(validation));
    // Of evenly spaced values the median is 0 and the ends are 1 away from it.
    const auto last_number = [](std::string_view line) {
        return std::stod(std::string(line.substr(line.rfind(',') + 1)));
    };
    const auto lines = amoskys::split(train, '\n');
    CHECK(last_number(lines[1]) == Approx(-1).margin(0.03));
    CHECK(last_number(lines[lines.size() - 2]) == Approx(1).margin(0.03));
    CHECK(last_number(amoskys::split(validation, '\n')[1]) > 1);
    const auto metadata = json::parse(folder.text(metadata_name), "metadata").value();
    const auto& scale = metadata["preprocessing"]["columns"]["m_first"];
    CHECK(scale["log1p"] == false);
    CHECK(scale["count"] == rows(train));
    const auto quality = json::parse(folder.text(quality_name), "quality").value();
    CHECK(quality["columns"][0]["drifted"] == true);
    CHECK(quality["time"]["coverage_percent"] == 100);
}
