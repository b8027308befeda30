// The whole of a collector: a config struct, its option table, a run() loop and the ModuleInfo that
// names them. Copy this folder, rename, and it is a subcommand: nothing else in the tree changes.
#include "core/module/module.h"
#include "core/base/file.h"
#include "core/log/log.h"
#include "modules/collectors/example/load_average.h"

namespace amoskys::example {
namespace {

struct ExampleConfig {
    Duration interval = std::chrono::seconds(60);
    std::string file = "/proc/loadavg";
};

constexpr config::Option options[] = {
    config::option<&ExampleConfig::interval>("interval", "", "time from one reading to the next",
                                             {0.1, 86400}),
    config::option<&ExampleConfig::file>("file", "", "file to read the load averages from"),
};

constexpr metrics::MetricInfo table[] = {
    {"amoskys_example_records_total", metrics::Kind::counter, "records", "records emitted"},
    {"amoskys_example_errors_total", metrics::Kind::counter, "errors", "failed readings", "reason"},
};

class ExampleCollector final : public module::Collector {
  public:
    explicit ExampleCollector(const module::CollectorContext& context)
        : context_(context),
          config_(std::static_pointer_cast<const ExampleConfig>(context.config)) {}

    static Result<std::unique_ptr<module::Collector>> make(
        const module::CollectorContext& context) {
        return std::unique_ptr<module::Collector>(std::make_unique<ExampleCollector>(context));
    }

    io::Task<Result<>> run(module::Emitter& emitter) override {
        while (true) {
            auto record = read();
            if (record) {
                // A coroutine's arguments are bound to a name first: see core/io/task.h.
                auto sending = emitter.emit(std::move(*record));
                AMOSKYS_CO_TRY_VOID(co_await std::move(sending));
                AMOSKYS_CO_TRY_VOID(co_await emitter.flush());
                context_.metrics.counter(table[0]).add();
            } else {
                context_.metrics.counter(table[1], record.error().code).add();
                if (context_.once)
                    co_return record.error();
                log::warning("example", "read_failed", record.error().message);
            }
            if (context_.once)
                co_return Result<>();
            if (const bool waited = co_await io::sleep_for(config_->interval); !waited)
                co_return Result<>();
        }
    }

  private:
    Result<messaging::DeviceTelemetry> read() const {
        constexpr std::uint64_t limit_bytes = 4096;
        auto text = read_file(config_->file, limit_bytes);
        if (!text)
            return make_error(ErrorKind::unavailable, "unreadable", text.error().message);
        const auto load = parse_load_average(*text);
        if (!load)
            return make_error(ErrorKind::unavailable, "malformed",
                              config_->file + ": no load averages in it");
        messaging::DeviceTelemetry record;
        record.set_device_id(context_.host_name);
        record.set_device_type("ENDPOINT");
        record.set_collection_agent("example");
        record.set_timestamp_ns(context_.clock.now_ns());
        constexpr const char* names[] = {"laLoad1", "laLoad5", "laLoad15"};
        for (std::size_t i = 0; i < load->size(); ++i) {
            auto& event = *record.add_events();
            event.set_event_type("METRIC");
            auto& data = *event.mutable_metric_data();
            data.set_metric_name(names[i]);
            data.set_metric_type("GAUGE");
            data.set_unit("1");
            data.set_numeric_value((*load)[i]);
            data.set_value_kind(messaging::MetricData::NUMERIC);
            (*data.mutable_labels())["source"] = "example";
        }
        return record;
    }

    const module::CollectorContext context_;
    std::shared_ptr<const ExampleConfig> config_;
};
}  // namespace
}  // namespace amoskys::example

namespace amoskys::modules {

extern const module::ModuleInfo example_module;
const module::ModuleInfo example_module{
    .name = "example",
    .kind = module::Kind::collector,
    .summary = "collect the load averages of this host, as an example to copy",
    .details =
        "Reads them once per interval. `agent proc` gives them too."
        "\n\nExamples:\n"
        "  amoskys agent example --once --stdout\n",
    .config_root = "agent.example",
    .options = example::options,
    .make_config = &config::make_config<example::ExampleConfig>,
    .metrics = example::table,
    .make_collector = &example::ExampleCollector::make,
};

}  // namespace amoskys::modules
