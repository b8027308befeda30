#include "modules/transformation/etl/engine.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "modules/transformation/etl/test/feeder.h"

using namespace amoskys;
using namespace amoskys::etl;
using namespace amoskys::etl::test;

namespace {

constexpr UnixNanos later = UINT64_MAX;  // received: no clock's mistake

// Sum of each metric's samples: enough to see what is in a window.
class Sums final : public module::Extractor {
  public:
    explicit Sums(module::ColumnTable& columns) : columns_(columns) {}
    void extract(const module::Window& window, module::FeatureRow& row) override {
        for (const module::Series& series : window.series) {
            double sum = 0;
            for (const double value : series.values)
                sum += value;
            row.set(columns_.add({.name = std::string(series.metric) + "_sum",
                                  .metric = std::string(series.metric)}),
                    sum);
        }
    }

  private:
    module::ColumnTable& columns_;
};

constexpr module::ExtractorKind sums_kind = {
    .stage = "sums",
    .make = [](module::ColumnTable& columns, const module::ExtractorSettings&)
        -> std::unique_ptr<module::Extractor> { return std::make_unique<Sums>(columns); }};

struct Row {
    std::string device;
    UnixNanos start_ns;
    double first;
    bool operator==(const Row&) const = default;
};

// A counter whose rate differs from sample to sample.
double steadily_growing(UnixNanos time_ns) {
    const auto seconds = static_cast<double>((time_ns - origin) / second);
    return seconds * seconds;
}

struct Fixture {
    explicit Fixture(EngineOptions options = {})
        : engine(
              {&sums_kind}, options,
              [this](std::uint32_t, const module::Window& window, const module::FeatureRow& row) {
                  rows.push_back({std::string(window.device), window.start_ns,
                                  row.values().empty() ? -1 : row.values()[0]});
              }) {}
    std::vector<Row> rows;
    Engine engine;
};

}  // namespace

TEST_CASE("windows on the epoch grid hold the samples from their start up to their end") {
    Fixture f;  // 60 s / 30 s
    // 1730000010 is a multiple of 30: samples at +0, +10 ... +80
    for (unsigned i = 0; i < 9; ++i)
        f.engine.observe(gauge("d", origin + i * 10 * second, "m", 1 << i), later);
    f.engine.finish();
    // [-30,30) begins before the device was seen; [0,60) 1..32; [30,90) 8..256; [60,120) is not
    // complete
    CHECK(f.rows == std::vector<Row>{{"d", origin, 63}, {"d", origin + 30 * second, 504}});
}

TEST_CASE("a first window that begins up to the usual distance before the first sample is whole") {
    for (const auto& [first_s, starts] : std::vector<std::pair<unsigned, std::vector<unsigned>>>{
             {10, {0, 30, 60}}, {11, {30, 60}}, {29, {30, 60}}}) {
        Fixture f;
        for (unsigned at_s = first_s; at_s < 130; at_s += 10)
            f.engine.observe(gauge("d", origin + at_s * second, "m", 1), later);
        f.engine.finish();
        std::vector<UnixNanos> seen, expected;
        for (const Row& row : f.rows)
            seen.push_back(row.start_ns);
        for (const unsigned start_s : starts)
            expected.push_back(origin + start_s * second);
        CHECK(seen == expected);
    }
}

TEST_CASE("a device that is polled once a window or less often has all its windows") {
    Fixture f;
    for (unsigned i = 0; i < 4; ++i)
        f.engine.observe(gauge("d", origin + (10 + i * 300) * second, "m", 1), later);
    f.engine.finish();
    CHECK(f.rows.size() == 8);
}

TEST_CASE("with align first windows start at the device's first sample") {
    EngineOptions options;
    options.windows.align = Align::first;
    Fixture f(options);
    const UnixNanos start = origin + 7 * second;
    for (unsigned i = 0; i < 9; ++i)
        f.engine.observe(gauge("d", start + i * 10 * second, "m", 1), later);
    f.engine.finish();
    CHECK(f.rows == std::vector<Row>{{"d", start, 6}, {"d", start + 30 * second, 6}});
}

TEST_CASE("partial windows at the end are kept where asked for") {
    EngineOptions options;
    options.windows.partial = true;
    Fixture f(options);
    f.engine.observe(gauge("d", origin + 5 * second, "m", 4), later);
    f.engine.finish();
    CHECK(f.rows == std::vector<Row>{{"d", origin - 30 * second, 4}, {"d", origin, 4}});
}

TEST_CASE("disorder within the lateness gives the same rows as order") {
    EngineOptions options;
    options.lateness = std::chrono::seconds(100);
    Fixture ordered(options), shuffled(options);
    std::vector<UnixNanos> times;
    for (unsigned i = 0; i < 500; ++i)
        times.push_back(origin + i * 10 * second);
    for (const UnixNanos time : times)
        ordered.engine.observe(counter("d", time, "m", steadily_growing(time)), later);
    for (std::size_t i = 0; i + 10 <= times.size(); i += 10)
        std::reverse(times.begin() + static_cast<std::ptrdiff_t>(i),
                     times.begin() + static_cast<std::ptrdiff_t>(i + 10));
    for (const UnixNanos time : times)
        shuffled.engine.observe(counter("d", time, "m", steadily_growing(time)), later);
    ordered.engine.finish();
    shuffled.engine.finish();
    CHECK(ordered.rows.size() > 160);
    CHECK(shuffled.rows == ordered.rows);
    CHECK(shuffled.engine.intake().counts().late == 0);
}

TEST_CASE("a sample later than the lateness is counted and left out") {
    EngineOptions options;
    options.lateness = std::chrono::seconds(60);
    Fixture f(options);
    for (unsigned i = 0; i < 100; ++i)
        f.engine.observe(gauge("d", origin + i * 10 * second, "m", 1), later);
    f.engine.observe(gauge("d", origin, "m", 1000), later);
    f.engine.finish();
    CHECK(f.engine.intake().counts().late == 1);
    for (const Row& row : f.rows)
        CHECK(row.first <= 6);
}

TEST_CASE("a gap of a year costs no windows") {
    Fixture f;
    const UnixNanos year = 365ULL * 86'400 * second;
    for (const UnixNanos start : {origin, origin + year})
        for (unsigned i = 0; i < 6; ++i)
            f.engine.observe(gauge("d", start + i * 10 * second, "m", 1), later);
    f.engine.finish();
    // the first piece: 0 and the window of its last samples (what begins before the device's first
    // sample is no whole window); the second: -30, 0
    CHECK(f.rows.size() == 4);
}

TEST_CASE("values that are no finite numbers and times that cannot be are left out and counted") {
    Fixture f;
    const double bad = std::numeric_limits<double>::quiet_NaN();
    f.engine.observe(gauge("d", origin, "m", bad), later);
    f.engine.observe(gauge("d", origin, "m", HUGE_VAL), later);
    auto text = gauge("d", origin, "m", 0);
    text.value = std::string_view("up");
    f.engine.observe(text, later);
    f.engine.observe(gauge("d", 0, "m", 1), later);
    f.engine.observe(gauge("d", origin + 3601 * second, "m", 1), origin);
    f.engine.finish();
    CHECK(f.rows.empty());
    CHECK(f.engine.intake().counts().not_finite == 2);
    CHECK(f.engine.intake().counts().texts == 1);
    CHECK(f.engine.intake().counts().ahead == 2);
    CHECK(f.engine.intake().counts().samples == 0);
}

TEST_CASE("ten thousand devices with one sample each give their windows") {
    EngineOptions options;
    options.windows.partial = true;
    Fixture f(options);
    for (int i = 0; i < 10'000; ++i)
        f.engine.observe(gauge("device" + std::to_string(i), origin, "m", 1), later);
    f.engine.finish();
    CHECK(f.engine.intake().devices() == 10'000);
    CHECK(f.rows.size() == 20'000);
}

TEST_CASE("windows lie inside since and until") {
    EngineOptions options;
    options.since_ns = origin;
    options.until_ns = origin + 90 * second;
    Fixture f(options);
    for (unsigned i = 0; i < 60; ++i)
        f.engine.observe(gauge("d", origin + i * 10 * second, "m", 1), later);
    f.engine.finish();
    CHECK(f.rows == std::vector<Row>{{"d", origin, 6}, {"d", origin + 30 * second, 6}});
}

TEST_CASE("a series comes with its baseline, and a key metric with its last samples") {
    struct Seen {
        std::size_t recent;
        double first_recent, baseline_mean;
    };
    static std::vector<Seen> seen;
    seen.clear();
    struct Look final : module::Extractor {
        void extract(const module::Window& window, module::FeatureRow&) override {
            for (const module::Series& series : window.series)
                seen.push_back({series.recent.size(), series.recent.front(),
                                series.baseline == nullptr ? -1 : series.baseline->mean});
        }
    };
    constexpr module::ExtractorKind look = {
        .stage = "look",
        .make = [](module::ColumnTable&, const module::ExtractorSettings&)
            -> std::unique_ptr<module::Extractor> { return std::make_unique<Look>(); }};
    EngineOptions options;
    options.lateness = std::chrono::seconds(0);
    options.windows.step = options.windows.window = std::chrono::seconds(60);
    Baselines baselines;
    baselines["d"]["m"] = {.count = 5, .mean = 17};
    for (const bool key : {true, false}) {
        options.settings.key_metrics = {key ? "m" : "other"};
        Engine engine({&look}, options, [](auto&&...) {});
        engine.compare_with(baselines);
        // 1730000040 is a multiple of 60: six samples a window, for a long time
        for (unsigned i = 0; i < 6 * 500; ++i)
            engine.observe(gauge("d", origin + (30 + i * 10) * second, "m", i), later);
        engine.finish();
    }
    REQUIRE(seen.size() == 1000);
    CHECK(seen[0].recent == 6);
    CHECK(seen[1].recent == 12);
    CHECK(seen[4].recent == 30);
    CHECK(seen[499].recent == 30);
    CHECK(seen[499].first_recent == 2970);
    CHECK(seen[499].baseline_mean == 17);
    CHECK(seen[999].recent == 6);
    CHECK(seen[999].first_recent == 2994);
}
