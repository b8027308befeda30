#include "modules/transformation/etl/batch.h"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "core/module/test/feature_values.h"
#include "modules/transformation/etl/test/feeder.h"

using namespace amoskys;
using namespace amoskys::etl;
using namespace amoskys::etl::test;

namespace {

// The baseline's mean beside the window's first sample and their number.
class Looker final : public module::Extractor {
  public:
    explicit Looker(module::ColumnTable& columns) : columns_(columns) {}
    void extract(const module::Window& window, module::FeatureRow& row) override {
        for (const module::Series& series : window.series) {
            const std::string metric(series.metric);
            row.set(columns_.add({.name = metric + "_first"}), series.values.front());
            row.set(columns_.add({.name = metric + "_n"}),
                    static_cast<double>(series.values.size()));
            if (series.baseline != nullptr)
                row.set(columns_.add({.name = metric + "_usual"}), series.baseline->mean);
        }
    }

  private:
    module::ColumnTable& columns_;
};
constexpr module::ExtractorKind looker = {
    .stage = "test",
    .make = [](module::ColumnTable& columns, const module::ExtractorSettings&)
        -> std::unique_ptr<module::Extractor> { return std::make_unique<Looker>(columns); }};

struct Row {
    std::string device;
    UnixNanos start_ns;
    Part part;
    std::map<std::string, double> values;
};

struct Run {
    std::unique_ptr<Batch> batch;
    std::vector<Row> rows;
    explicit Run(BatchOptions options)
        : batch(Batch::open(fs::temp_directory_path(), {&looker}, std::move(options)).value()) {}
    void finish() {
        REQUIRE(batch->learn());
        REQUIRE(
            batch->cut([&](const module::Window& window, const module::FeatureRow& row, Part part) {
                rows.push_back({std::string(window.device), window.start_ns, part,
                                module::test::values_of(row, batch->columns())});
            }));
    }
};

BatchOptions tens() {
    BatchOptions options;
    options.engine.windows.window = options.engine.windows.step = std::chrono::seconds(10);
    return options;
}

}  // namespace

TEST_CASE("baselines are learned from the first windows of each device and from nothing later") {
    Run run(tens());
    // Ten windows of one sample, the last two far away: 8 train, 1 is the embargo, 1 validates.
    for (unsigned i = 0; i < 10; ++i)
        run.batch->observe(gauge("d", origin + i * 10 * second, "m", i < 8 ? i : 1e6), UINT64_MAX);
    run.finish();
    REQUIRE(run.rows.size() == 10);
    for (unsigned i = 0; i < 10; ++i) {
        CHECK(run.rows[i].values.at("m_usual") == 3.5);
        CHECK(run.rows[i].part == (i < 8    ? Part::train
                                   : i == 8 ? Part::embargo
                                            : Part::validation));
    }
    const module::Baseline& m = run.batch->baselines().at("d").at("m");
    CHECK(m.count == 8);
    CHECK(m.min == 0);
    CHECK(m.max == 7);
    CHECK(m.std == Approx(std::sqrt(6.0)).epsilon(1e-14));
    CHECK(m.step_std == 0);
    CHECK(m.interval_s == 10);
}

TEST_CASE("baselines of whole numbers are exact, and far from a first value still right") {
    MetricTable metrics;
    const auto m = metrics.add({.name = "m", .unit = ""});
    const auto fitted = [&](auto&& value_of, unsigned n) {
        BaselineFitter fitter;
        for (unsigned i = 0; i < n; ++i) {
            const CanonicalSample sample{m, value_of(i)};
            fitter.add(origin + i * second, std::span(&sample, 1));
        }
        return fitter.finish(metrics).at("m");
    };
    // steps 1 -1 1 -1 ...: mean 0, squares n, and n - 1 of 2 more make it 1
    const auto saw = fitted([](unsigned i) { return i % 2 == 0 ? 3.0 : 4.0; }, 1001);
    CHECK(saw.step_std == std::sqrt(1000.0 / 999));
    CHECK(saw.mean == 3 + 500.0 / 1001);
    const auto far = fitted([](unsigned i) { return i == 0 ? 1e12 : i % 2 == 0 ? -1.0 : 1.0; }, 3);
    CHECK(far.std == Approx(1e12 / std::sqrt(3.0)).epsilon(1e-9));
    const auto offset = fitted([](unsigned i) { return 1e15 + (i % 3); }, 3000);
    CHECK(offset.std == Approx(std::sqrt(2.0 / 3 * 3000 / 2999)).epsilon(1e-12));
}

TEST_CASE("devices are split each for itself, and one without training windows learns nothing") {
    Run run(tens());
    for (unsigned i = 0; i < 20; ++i)
        run.batch->observe(gauge("long", origin + i * 10 * second, "m", 1), UINT64_MAX);
    run.batch->observe(gauge("short", origin, "m", 1), UINT64_MAX);
    run.finish();
    std::map<std::pair<std::string, Part>, int> counts;
    for (const Row& row : run.rows)
        ++counts[{row.device, row.part}];
    CHECK(counts[{"long", Part::train}] == 16);
    CHECK(counts[{"long", Part::embargo}] == 1);
    CHECK(counts[{"long", Part::validation}] == 3);
    CHECK(run.batch->baselines().count("short") == 0);
}

TEST_CASE("overlapping windows leave no sample of the training part in the validation part") {
    BatchOptions options;  // 60 s / 30 s
    Run run(options);
    for (unsigned i = 0; i < 600; ++i)
        run.batch->observe(gauge("d", origin + i * 10 * second, "m", i), UINT64_MAX);
    run.finish();
    UnixNanos trained_until = 0, validated_from = UINT64_MAX;
    for (const Row& row : run.rows) {
        if (row.part == Part::train)
            trained_until = std::max(trained_until, row.start_ns + 60 * second);
        if (row.part == Part::validation)
            validated_from = std::min(validated_from, row.start_ns);
    }
    CHECK(validated_from == trained_until + 60 * second);
}

TEST_CASE("with fill each instant of a device has all its metrics, in the baselines too") {
    BatchOptions options = tens();
    options.fill_with_median = true;
    options.validation = 0;
    Run run(options);
    for (unsigned i = 0; i < 6; ++i) {
        run.batch->observe(gauge("d", origin + i * 10 * second, "a", i), UINT64_MAX);
        if (i < 4)
            run.batch->observe(gauge("d", origin + i * 10 * second, "b", 10 + i), UINT64_MAX);
    }
    for (unsigned i = 0; i < 2; ++i)
        run.batch->observe(gauge("other", origin + i * 10 * second, "a", 1), UINT64_MAX);
    run.finish();
    CHECK(run.batch->filled() == 2);
    REQUIRE(run.rows.size() == 8);
    std::stable_sort(run.rows.begin(), run.rows.end(),
                     [](const Row& a, const Row& b) { return a.device < b.device; });
    CHECK(run.rows[5].values.at("b_first") == 11.5);
    CHECK(run.rows[5].part == Part::train);
    CHECK(run.batch->baselines().at("d").at("b").count == 6);
    CHECK(run.rows[6].values.count("b_first") == 0);
}

TEST_CASE("baselines that are given are used as they are") {
    Run run(tens());
    Baselines given;
    given["d"]["m"] = {.count = 1, .mean = 99};
    run.batch->use(given);
    for (unsigned i = 0; i < 10; ++i)
        run.batch->observe(gauge("d", origin + i * 10 * second, "m", i), UINT64_MAX);
    run.finish();
    CHECK(run.rows[0].values.at("m_usual") == 99);
}

TEST_CASE("the store gives back what it got, also instants larger than its buffer") {
    auto store = CanonicalStore::open(fs::temp_directory_path()).value();
    std::vector<CanonicalSample> many(200'000);
    for (std::uint32_t i = 0; i < many.size(); ++i)
        many[i] = {i, i * 0.5};
    const std::vector<std::size_t> sizes = {1, 200'000, 0, 3, 100'000, 65'535, 65'536, 2};
    for (std::size_t i = 0; i < sizes.size(); ++i)
        store.add({static_cast<std::uint32_t>(i), {}, origin + i, std::span(many).first(sizes[i])});
    for (int round = 0; round < 2; ++round) {
        std::size_t seen = 0;
        REQUIRE(store.read({[&](const Instant& instant) {
                                CHECK(instant.device == seen);
                                CHECK(instant.time_ns == origin + seen);
                                REQUIRE(instant.samples.size() == sizes[seen]);
                                if (!instant.samples.empty()) {
                                    CHECK(instant.samples.back().metric == sizes[seen] - 1);
                                    CHECK(instant.samples.back().value ==
                                          static_cast<double>(sizes[seen] - 1) * 0.5);
                                }
                                ++seen;
                            },
                            [](const Observations&) {}}));
        CHECK(seen == sizes.size());
    }
}

TEST_CASE("processes and flows come back from the store as they were, and are in the windows") {
    auto store = CanonicalStore::open(fs::temp_directory_path()).value();
    std::vector<module::ProcessSample> processes(70'000);
    std::vector<module::FlowSample> flows(3);
    processes[69'999].process = 42;
    flows[2].target_port = 443;
    store.add({7, {}, origin, processes, flows});
    store.add({8, {}, origin + 1, {}, {}});
    std::size_t seen_processes = 0, seen_flows = 0;
    REQUIRE(store.read({[](const Instant&) { FAIL("there is no instant"); },
                        [&](const Observations& observations) {
                            CHECK(observations.device == 7);
                            CHECK(observations.from_ns == origin);
                            if (!observations.processes.empty())
                                CHECK(observations.processes.back().process == 42);
                            if (!observations.flows.empty())
                                CHECK(observations.flows.back().target_port == 443);
                            seen_processes += observations.processes.size();
                            seen_flows += observations.flows.size();
                        }}));
    CHECK(seen_processes == 70'000);
    CHECK(seen_flows == 3);
}
