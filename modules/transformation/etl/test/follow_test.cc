#include "modules/transformation/etl/follow.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "core/base/file.h"
#include "core/module/test/feature_values.h"
#include "modules/transformation/etl/test/feeder.h"
#include "modules/transformation/etl/test/list_source.h"

using namespace amoskys;
using namespace amoskys::etl;
using namespace amoskys::etl::test;

namespace {

// What depends on everything that comes with a window: samples, history, baseline.
class Everything final : public module::Extractor {
  public:
    explicit Everything(module::ColumnTable& columns) : columns_(columns) {}
    void extract(const module::Window& window, module::FeatureRow& row) override {
        for (const module::Series& series : window.series) {
            double sum = 0;
            for (const double value : series.recent)
                sum = sum * 0.9 + value / 3;
            if (series.baseline != nullptr)
                sum = (sum - series.baseline->mean) / (series.baseline->std + 0.1) +
                      series.baseline->step_std * series.baseline->interval_s;
            row.set(columns_.add({.name = std::string(series.metric) + "_all"}), sum);
        }
    }

  private:
    module::ColumnTable& columns_;
};
constexpr module::ExtractorKind everything = {
    .stage = "test",
    .make = [](module::ColumnTable& columns, const module::ExtractorSettings&)
        -> std::unique_ptr<module::Extractor> { return std::make_unique<Everything>(columns); }};

ListSource two_devices() {
    ListSource source;
    for (unsigned i = 0; i < 2000; ++i)
        for (const char* device : {"a", "b"}) {
            // out of order within 20 s, and now and then nothing
            const unsigned at = i / 3 * 3 + (3 - i % 3);
            if (i % 17 == 5 && *device == 'b')
                continue;
            source.events.push_back(
                gauge(device, origin + at * 10 * second, "cpu", std::sin(i * 0.7) * 40 + 50));
            source.events.push_back(
                counter(device, origin + at * 10 * second, "octets", at * at * 7.5));
        }
    return source;
}

}  // namespace

TEST_CASE("a row has its shape that is kept") {
    const std::vector<module::FeatureColumn> columns = {{.name = "cpu_mean"}, {.name = "cpu_std"}};
    module::FeatureRow row;
    row.set(0, 0.1);
    row.set(1, module::FeatureRow::missing);
    const module::Window window{"edge \"1\"", origin, origin + 60 * second, {}};
    const auto kept = read_file(
        fs::path(AMOSKYS_SOURCE_DIR) / "modules/transformation/etl/test/golden/feature_row.json",
        1 << 20);
    CHECK(json::dump_pretty(row_json(window, row, columns)) + "\n" == kept.value());
}

TEST_CASE("follow prints the rows of a batch with the same baselines, bit for bit") {
    ListSource source = two_devices();
    RunRequest request;
    request.extractors = {&everything};
    request.batch.engine.lateness = std::chrono::seconds(30);
    request.batch.engine.settings.key_metrics = {"cpu"};
    std::map<std::pair<std::string, std::string>, std::map<std::string, double>> batch_rows;
    const auto batch =
        Batch::open(fs::temp_directory_path(), request.extractors, request.batch).value();
    REQUIRE(source.read([&](const wire::Event& event, UnixNanos received_ns) {
        batch->observe(event, received_ns);
    }));
    REQUIRE(batch->learn());
    REQUIRE(batch->cut([&](const module::Window& window, const module::FeatureRow& row, Part) {
        batch_rows[{std::string(window.device), format_time(window.start_ns)}] =
            module::test::values_of(row, batch->columns());
    }));

    request.baselines = batch->baselines();
    StringSink out;
    REQUIRE(follow(source, request, out));
    std::size_t rows = 0, values = 0;
    std::size_t begin = 0;
    while (begin < out.text.size()) {
        const std::size_t end = out.text.find('\n', begin);
        const Json row = json::parse(out.text.substr(begin, end - begin), "row").value();
        begin = end + 1;
        CHECK(row["schema"] == "amoskys.feature_row/1");
        const auto& expected = batch_rows.at(
            {row["device_id"].get<std::string>(), row["window_start"].get<std::string>()});
        CHECK(row["features"].size() == expected.size());
        for (const auto& [name, value] : expected) {
            CHECK(row["features"][name].get<double>() == value);
            ++values;
        }
        ++rows;
    }
    // All but those whose end nobody knows yet.
    CHECK(rows > batch_rows.size() - 2 * 5);
    CHECK(rows < batch_rows.size());
    CHECK(values > 2 * rows - 10);
}

TEST_CASE("follow ends when its reader goes away") {
    struct Gone final : ByteSink {
        bool write(std::string_view) override { return false; }
        bool flush() override { return false; }
    } gone;
    ListSource source = two_devices();
    RunRequest request;
    request.extractors = {&everything};
    request.batch.engine.lateness = std::chrono::seconds(0);
    REQUIRE(follow(source, request, gone));
    CHECK(source.visited < source.events.size() / 2);
}
