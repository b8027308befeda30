// An engine that goes on where another stopped: the same rows, bit for bit, wherever that was.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "core/module/test/feature_values.h"
#include "modules/transformation/etl/engine.h"
#include "modules/transformation/etl/test/feeder.h"

using namespace amoskys;
using namespace amoskys::etl;
using namespace amoskys::etl::test;

namespace {

// A number that depends on everything that comes with a window.
class Fingerprint final : public module::Extractor {
  public:
    explicit Fingerprint(module::ColumnTable& columns) : columns_(columns) {}
    void extract(const module::Window& window, module::FeatureRow& row) override {
        for (const module::Series& series : window.series) {
            double sum = static_cast<double>(series.recent.size());
            for (std::size_t i = 0; i < series.values.size(); ++i)
                sum = sum * 0.9 + series.values[i] +
                      static_cast<double>(series.times[i] - window.start_ns) * 1e-12;
            for (const double value : series.recent)
                sum = sum * 0.7 + value;
            if (series.baseline != nullptr)
                sum -= series.baseline->mean;
            row.set(columns_.add({.name = std::string(series.metric)}), sum);
        }
        double others = 0;
        for (const module::ProcessSample& process : window.processes)
            others = others * 0.9 + process.cpu_percent + static_cast<double>(process.kind);
        for (const module::FlowSample& flow : window.flows)
            others = others * 0.9 + flow.bytes_sent + (flow.is_tcp ? 0.5 : 0);
        row.set(columns_.add({.name = "others"}), others);
    }

  private:
    module::ColumnTable& columns_;
};
constexpr module::ExtractorKind fingerprint = {
    .stage = "test",
    .make = [](module::ColumnTable& columns, const module::ExtractorSettings&)
        -> std::unique_ptr<module::Extractor> { return std::make_unique<Fingerprint>(columns); }};

// Device, start of the window, values by name.
using Rows = std::map<std::pair<std::string, UnixNanos>, std::map<std::string, double>>;

struct Runner {
    Runner(const EngineOptions& options, const Baselines& baselines, Rows& into)
        : rows(into),
          engine(
              {&fingerprint}, options,
              [this](std::uint32_t, const module::Window& window, const module::FeatureRow& row) {
                  const bool is_new =
                      rows.emplace(std::pair(std::string(window.device), window.start_ns),
                                   module::test::values_of(row, engine.columns()))
                          .second;
                  CHECK(is_new);
              }) {
        engine.compare_with(baselines);
    }
    Rows& rows;
    Engine engine;
};

// Three devices: gauges, counters that wrap and restart, an interface that says late what it is,
// processes, flows; out of order, twice, and some of it too late.
struct Log {
    messaging::ProcessEvent process;
    messaging::FlowEvent flow;
    std::vector<wire::Event> events;

    Log() {
        process.set_pid(7);
        process.set_boot_id("b");
        process.set_exe("/bin/true");
        process.set_cpu_percent(12.5);
        flow.set_src_ip("192.0.2.1");
        flow.set_dst_ip("192.0.2.2");
        flow.set_protocol("TCP");
        flow.set_bytes_sent(1000);
        flow.set_start_time(origin);
        flow.set_end_time(origin + 500 * second);
        std::mt19937 chance(8);
        for (unsigned i = 0; i < 300; ++i)
            for (const char* device : {"a", "b", "c"}) {
                const UnixNanos time = origin + (i * 10 + chance() % 3) * second;
                events.push_back(gauge(device, time, "cpu", static_cast<double>(chance() % 100)));
                events.push_back(counter(device, time, "ifInOctets", (i % 90) * 1e5, "1"));
                events.push_back(counter(device, time, "ifInOctets", i * 1e3, "2"));
                events.push_back(gauge(device, time, "sysUpTime", (i % 90) * 1000.0));
                if (i == 120) {
                    events.push_back(gauge(device, time, "ifDescr", 0, "2"));
                    events.back().value = std::string_view("lo");
                }
                if (i % 7 == 3) {
                    wire::Event seen = gauge(device, time, "", 0);
                    seen.kind = wire::EventKind::process;
                    seen.source = "proc";
                    seen.process = &process;
                    events.push_back(seen);
                }
                if (i == 60) {
                    wire::Event ended = gauge(device, origin, "", 0);
                    ended.kind = wire::EventKind::flow;
                    ended.source = "flow";
                    ended.flow = &flow;
                    events.push_back(ended);
                }
            }
        for (std::size_t i = 0; i + 24 < events.size(); i += 12)
            std::shuffle(events.begin() + static_cast<std::ptrdiff_t>(i),
                         events.begin() + static_cast<std::ptrdiff_t>(i + 24), chance);
    }
};

EngineOptions options_with(Align align) {
    EngineOptions options;
    options.windows.align = align;
    options.lateness = std::chrono::seconds(40);
    options.settings.key_metrics = {"cpu"};
    return options;
}

}  // namespace

TEST_CASE("an engine that goes on from a saved state gives the rows of one that never stopped") {
    const Log log;
    Baselines baselines;
    baselines["a"]["cpu"] = {.count = 3, .mean = 0.1};
    for (const Align align : {Align::epoch, Align::first}) {
        const EngineOptions options = options_with(align);
        Rows whole;
        Runner at_once(options, baselines, whole);
        for (const wire::Event& event : log.events)
            at_once.engine.observe(event, UINT64_MAX);
        REQUIRE(whole.size() > 200);
        REQUIRE(at_once.engine.intake().counts().counter_resets > 0);
        for (std::size_t piece : {1, 7, 100, 1000}) {
            Rows pieces;
            auto now = std::make_unique<Runner>(options, baselines, pieces);
            for (std::size_t i = 0; i < log.events.size(); ++i) {
                if (i % piece == 0) {
                    const std::string saved = now->engine.save();
                    auto next = std::make_unique<Runner>(options, baselines, pieces);
                    REQUIRE(next->engine.restore(saved));
                    // Nothing is lost and nothing grows by it.
                    CHECK(next->engine.save() == saved);
                    now = std::move(next);
                }
                now->engine.observe(log.events[i], UINT64_MAX);
            }
            CHECK(pieces == whole);
        }
    }
}

TEST_CASE("a saved state that is cut, longer or of another form is refused") {
    const Log log;
    const EngineOptions options = options_with(Align::epoch);
    Rows rows;
    Runner runner(options, {}, rows);
    for (std::size_t i = 0; i < 500; ++i)
        runner.engine.observe(log.events[i], UINT64_MAX);
    const std::string saved = runner.engine.save();
    const auto accepted = [&](std::string_view state) {
        Rows none;
        return Runner(options, {}, none).engine.restore(state);
    };
    CHECK(accepted(saved));
    CHECK_FALSE(accepted(saved + "x"));
    CHECK_FALSE(accepted(""));
    std::string other = saved;
    other[10] ^= 1;
    CHECK_FALSE(accepted(other));
    for (std::size_t size = 0; size < saved.size(); size += 1 + size / 50)
        CHECK_FALSE(accepted(std::string_view(saved).substr(0, size)));
}
