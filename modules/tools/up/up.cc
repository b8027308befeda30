// `amoskys up`: bus, collectors, etl, score and page of one machine in one process.
#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <filesystem>

#include "core/base/file.h"
#include "core/crypto/pki.h"
#include "core/io/service_manager.h"
#include "core/log/log.h"
#include "core/module/confine.h"
#include "core/module/module.h"
#include "core/module/pipeline.h"
#include "core/module/run.h"

namespace amoskys::modules {

namespace {

using config::option;
using module::AgentConfig;
using module::ModuleInfo;

struct UpOptions {
    Duration every = std::chrono::seconds(60);
    Duration look_back = std::chrono::hours(24);
    Duration run_for = Duration(0);
    bool no_page = false;
    std::string ready_file;
};
constexpr std::array up_table{
    option<&UpOptions::every>("every", "", "time between two runs of etl and score",
                              {.min = 1, .max = 86400}),
    option<&UpOptions::look_back>("look_back", "", "how much of the log each run reads",
                                  {.min = 60, .max = 31536000}),
    option<&UpOptions::run_for>("run_for", "", "stop after so long (0: until Ctrl-C)"),
    option<&UpOptions::no_page>("no_page", "", "do not serve the page of `dash`"),
    option<&UpOptions::ready_file>("ready_file", "",
                                   "file that gets one JSON object with the addresses in use"),
};

// Starts what publishes once the bus serves.
class UpHost final : public module::ServiceHost {
  public:
    explicit UpHost(std::function<void(const Json&)> on_ready) : on_ready_(std::move(on_ready)) {}
    void ready(const Json& addresses) override { on_ready_(addresses); }

  private:
    std::function<void(const Json&)> on_ready_;
};

struct Running {
    explicit Running(module::ToolContext& tool) : context(tool) {}

    module::ToolContext& context;
    UpOptions options;
    io::asio::io_context io;
    metrics::Registry metrics;
    std::unique_ptr<UpHost> host;
    std::unique_ptr<module::Service> bus;
    std::unique_ptr<UpHost> page_host;
    std::unique_ptr<module::Service> page;
    std::vector<std::unique_ptr<module::Pipeline>> pipelines;
    std::unique_ptr<io::DedicatedThread> worker;
    Result<> outcome;
};

Result<> make_keys(const Running& run) {
    const crypto::PkiPaths pki{run.context.state_dir / "pki"};
    if (std::filesystem::exists(pki.ca_cert()))
        return {};
    const Result<std::vector<std::filesystem::path>> made =
        crypto::pki_init(pki, {.extra_sans = {}, .local_agent = {}}, system_clock());
    if (!made)
        return made.error();
    log::info("up", "keys_made", "first start: certificates and keys were made",
              {{"folder", pki.root.string()}});
    return {};
}

std::vector<std::string> collectors_of(const config::Loaded& loaded) {
    std::vector<std::string> names = loaded.get<AgentConfig>("agent")->collectors;
    const bool snmp_named = std::find(names.begin(), names.end(), "snmp") != names.end();
    if (!snmp_named && loaded.was_set("agent.snmp.target"))
        names.emplace_back("snmp");
    return names;
}

std::vector<const ModuleInfo*> modules_of(const config::Loaded& loaded) {
    std::vector<const ModuleInfo*> infos;
    for (const std::string& name : collectors_of(loaded))
        if (const ModuleInfo* info = module::find_module(name); info != nullptr)
            infos.push_back(info);
    return infos;
}

Result<> open_pipelines(Running& run, const std::string& bus_address) {
    auto agent = std::make_shared<AgentConfig>(*run.context.loaded.get<AgentConfig>("agent"));
    agent->bus = {bus_address};
    for (const std::string& name : collectors_of(run.context.loaded)) {
        const ModuleInfo* info = module::find_module(name);
        if (info == nullptr || info->kind != module::Kind::collector)
            return make_error(
                ErrorKind::config, "unknown_collector",
                "agent.collectors: '" + name + "' is no collector of this executable");
        AMOSKYS_TRY(pipeline,
                    module::Pipeline::open(
                        run.io, *info,
                        {.agent = agent,
                         .collector_config = run.context.loaded.section(info->config_root),
                         .state_dir = run.context.state_dir},
                        system_clock(), run.metrics));
        run.pipelines.push_back(std::move(pipeline));
    }
    return {};
}

Result<> run_words(Running& run, const std::string& name, const std::string& verb,
                   const std::vector<std::string>& arguments) {
    StringSink sink;
    OutputOptions output = run.context.output;
    output.format = OutputFormat::ndjson;
    output.fields.clear();
    AMOSKYS_TRY_VOID(module::run_verb(name, verb, arguments, run.context, output, sink));
    if (!sink.text.empty())
        log::debug("up", "ran", name + " " + verb);
    return {};
}

// On the worker thread: the last hours of the log to features, a model where there is none, scores.
Result<> refresh(Running& run) {
    const std::filesystem::path features = run.context.state_dir / "features";
    AMOSKYS_TRY_VOID(run_words(
        run, "etl", "",
        {"--out", features.string(), "--since", "-" + format_duration(run.options.look_back)}));
    if (!std::filesystem::exists(run.context.state_dir / "models" / "iforest.model"))
        AMOSKYS_TRY_VOID(run_words(run, "score", "train",
                                   {"--features", features.string(), "--model", "iforest"}));
    return run_words(run, "score", "run",
                     {"--features", features.string(), "--out",
                      (run.context.state_dir / "scores.ndjson").string()});
}

io::Task<Result<>> refresh_now_and_then(Running& run) {
    for (;;) {
        const bool waited = co_await io::sleep_for(run.options.every);
        if (!waited)
            co_return Result<>();
        std::function<Result<>()> work = [&run] { return refresh(run); };
        const Result<> done = co_await run.worker->run(std::move(work));
        // Too little data in the first minutes is no reason to stop.
        if (!done)
            log::info("up", "no_scores", done.error().message);
    }
}

io::Task<Result<>> stop_later(Running& run) {
    const bool waited = co_await io::sleep_for(run.options.run_for);
    static_cast<void>(waited);
    co_return make_error(ErrorKind::finding, "done", "");
}

io::Task<void> supervise(Running& run, io::TaskGroup& group) {
    run.outcome = co_await group.join();
    run.io.stop();
}

void write_ready_file(const Running& run, const Json& addresses) {
    if (run.options.ready_file.empty())
        return;
    if (const Result<> done =
            write_file_atomic(run.options.ready_file, json::dump(addresses) + "\n", 0644);
        !done)
        log::error("up", "ready_file_failed", done.error().message);
}

// The start ends with the page's address. A busy default port costs the page only.
io::Task<Result<>> serve_page(Running& run, const ModuleInfo& dash, Json addresses) {
    run.page_host = std::make_unique<UpHost>([&run, &addresses](const Json& page) {
        addresses["page"] = page.value("url", std::string());
        write_ready_file(run, addresses);
        log::info("up", "page", "open it in a browser",
                  {{"url", page.value("url", std::string())}});
    });
    auto made = dash.make_service({.io = run.io,
                                   .clock = system_clock(),
                                   .metrics = run.metrics,
                                   .config = run.context.loaded.section(dash.config_root),
                                   .state_dir = run.context.state_dir,
                                   .host = *run.page_host,
                                   .loaded = &run.context.loaded});
    if (!made)
        co_return made.error();
    run.page = std::move(*made);
    io::Task<Result<>> serving = run.page->run();
    const Result<> ended = co_await std::move(serving);
    const bool busy = !ended && ended.error().code == "address_in_use" &&
                      !run.context.loaded.was_set("dash.listen");
    if (!busy)
        co_return ended;
    log::warning("up", "no_page", ended.error().message + "; going on without the page");
    write_ready_file(run, addresses);
    co_return Result<>();
}

void on_ready(Running& run, io::TaskGroup& group, const Json& addresses) {
    const Result<> opened = open_pipelines(run, addresses.value("listen", std::string()));
    if (!opened) {
        log::error("up", "collectors_failed", opened.error().message);
        group.cancel();
        run.outcome = opened;
        return;
    }
    for (const auto& pipeline : run.pipelines) {
        io::Task<Result<>> task = pipeline->run();
        group.spawn(pipeline->lane(), std::move(task));
    }
    log::info("up", "running", "Ctrl-C stops",
              {{"bus", addresses.value("listen", std::string())},
               {"http", addresses.value("http", std::string())},
               {"state", run.context.state_dir.string()}});
    io::notify_service_manager("READY=1");
    const ModuleInfo* dash = module::find_module("dash");
    if (run.options.no_page || dash == nullptr)
        return write_ready_file(run, addresses);
    io::Task<Result<>> page = serve_page(run, *dash, addresses);
    group.spawn("page", std::move(page));
}

Result<> up(module::ToolContext& context) {
    Running run(context);
    run.options = *static_cast<const UpOptions*>(context.config.get());
    AMOSKYS_TRY_VOID(make_keys(run));
    const ModuleInfo* bus = module::find_module("bus");
    if (bus == nullptr)
        return make_error(ErrorKind::unavailable, "no_bus",
                          "up: this executable was built without the bus");
    module::FurtherPaths further;
    if (!run.options.ready_file.empty())
        further.write.emplace_back(run.options.ready_file);
    AMOSKYS_TRY_VOID(
        module::confine(modules_of(context.loaded), context.loaded, context.state_dir, further));
    io::TaskGroup group(run.io);
    run.worker = std::make_unique<io::DedicatedThread>(run.io, "etl", 1);
    run.host =
        std::make_unique<UpHost>([&](const Json& addresses) { on_ready(run, group, addresses); });
    AMOSKYS_TRY(service, bus->make_service({.io = run.io,
                                            .clock = system_clock(),
                                            .metrics = run.metrics,
                                            .config = context.loaded.section(bus->config_root),
                                            .state_dir = context.state_dir,
                                            .host = *run.host}));
    run.bus = std::move(service);
    io::Signals signals(run.io);
    signals.on_stop([&group](int) {
        io::notify_service_manager("STOPPING=1");
        group.cancel();
    });
    io::Task<Result<>> bus_task = run.bus->run();
    group.spawn("bus", std::move(bus_task));
    io::feed_watchdog(group);
    io::Task<Result<>> refresh_task = refresh_now_and_then(run);
    group.spawn("etl and score", std::move(refresh_task));
    if (run.options.run_for.count() > 0) {
        io::Task<Result<>> stop_task = stop_later(run);
        group.spawn("end", std::move(stop_task));
    }
    io::asio::co_spawn(run.io, supervise(run, group), io::asio::detached);
    run.io.run();
    run.worker.reset();  // ends the readers of the log before the log
    run.pipelines.clear();
    run.page.reset();
    run.bus.reset();
    if (!run.outcome && run.outcome.error().code == "done")
        return {};
    return run.outcome;
}

constexpr std::array verb_table{
    module::Verb{"", "bus, this host's collectors, etl, score and page in one process", up_table,
                 config::make_config<UpOptions>, up,
                 "amoskys up\namoskys up --set agent.snmp.target=udp:127.0.0.1:161"},
};

}  // namespace

extern const module::ModuleInfo up_module;
constinit const module::ModuleInfo up_module{
    .name = "up",
    .kind = module::Kind::tool,
    .summary = "everything on one machine: bus, collectors, etl, score and page in one process",
    .details =
        "Makes keys on first start. Collects processes and host metrics, and SNMP where "
        "agent.snmp.target "
        "is set; every minute turns the log's last day into features and scores them; serves the "
        "page of `dash`.",
    .verbs = verb_table,
};

}  // namespace amoskys::modules
