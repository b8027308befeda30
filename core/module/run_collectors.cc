// `agent NAME` and `agent run`.
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <csignal>

#include "core/io/http_server.h"
#include "core/io/service_manager.h"
#include "core/log/log.h"
#include "core/module/confine.h"
#include "core/module/host_config.h"
#include "core/module/pipeline.h"
#include "core/module/run.h"
#include "core/module/threshold.h"

namespace amoskys::module {

namespace {

using config::option;

constexpr std::array collectors_table{
    option<&CollectorRun::once>("once", "", "one cycle, wait until the bus has it, exit", {},
                                {.command_line_only = true}),
    option<&CollectorRun::to_stdout>("stdout", "", "print the events instead of publishing them",
                                     {}, {.command_line_only = true}),
};

// Everything that a run owns; the coroutines refer to it.
struct Collecting {
    io::asio::io_context io;
    metrics::Registry metrics;
    std::vector<std::unique_ptr<Pipeline>> pipelines;
    std::unique_ptr<StdoutEmitter> printer;
    std::unique_ptr<ThresholdEmitter> thresholds;  // before the printer
    std::unique_ptr<Collector> collector;
    std::unique_ptr<io::HttpServer> http;
    Result<> outcome;
    int stop_signal = 0;
};

io::Task<Result<>> print_events(Collecting& run) {
    Result<> done = co_await run.collector->run(*run.thresholds);
    if (!done && done.error().code == "reader_gone")
        co_return run.printer->finish();  // success where it was the reader's own wish
    if (!done && !run.printer->printed())
        co_return done;  // no header of an empty table before an error
    const Result<> finished = run.printer->finish();
    co_return done ? finished : done;
}

io::Task<void> supervise(Collecting& run, io::TaskGroup& group) {
    run.outcome = co_await group.join();
    run.io.stop();
}

// For --once: the group ends when every pipeline has ended by itself.
io::Task<Result<>> run_pipelines(Collecting& run) {
    io::TaskGroup group(run.io);
    for (const auto& pipeline : run.pipelines) {
        io::Task<Result<>> task = pipeline->run();
        group.spawn(pipeline->lane(), std::move(task));
    }
    Result<> joined = co_await group.join();
    if (joined)
        joined = make_error(ErrorKind::finding, "done", "");  // ends the HTTP server too
    co_return joined;
}

Result<> add_http(Collecting& run, const std::string& address) {
    if (address.empty())
        return {};
    const auto metrics_page = [&run](const io::HttpRequest& request) {
        for (const auto& pipeline : run.pipelines)
            pipeline->measure_certificate();
        const bool open = request.accept.find("application/openmetrics-text") != std::string::npos;
        return io::HttpResponse{
            200,
            open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                 : "text/plain; version=0.0.4; charset=utf-8",
            open ? run.metrics.open_metrics_text() : run.metrics.prometheus_text()};
    };
    const auto alive = [](const io::HttpRequest&) {
        return io::HttpResponse{200, "text/plain", "ok\n"};
    };
    const auto ready = [&run](const io::HttpRequest&) {
        for (const auto& pipeline : run.pipelines)
            if (!pipeline->client().stats().connected)
                return io::HttpResponse{
                    503, "text/plain",
                    pipeline->lane() + ": no bus: " + pipeline->client().stats().last_error + "\n"};
        return io::HttpResponse{200, "text/plain", "ok\n"};
    };
    run.http = std::make_unique<io::HttpServer>(
        run.io, std::map<std::string, io::HttpHandler>{{"/metrics", metrics_page},
                                                       {"/livez", alive},
                                                       {"/readyz", ready},
                                                       {"/healthz", ready},
                                                       {"/security", security_page}});
    AMOSKYS_TRY(endpoint, io::parse_endpoint(address, 9101));
    AMOSKYS_TRY(bound, run.http->listen(endpoint));
    log::info("agent", "http_listening", "metrics and health", {{"address", bound}});
    return {};
}

Result<> open_pipelines(Collecting& run, std::span<const ModuleInfo* const> infos,
                        const CollectorRun& options, const RunRequest& request) {
    const auto agent = request.loaded.get<AgentConfig>("agent");
    for (const ModuleInfo* info : infos) {
        AMOSKYS_TRY(pipeline,
                    Pipeline::open(run.io, *info,
                                   {.agent = agent,
                                    .collector_config = request.loaded.section(info->config_root),
                                    .state_dir = request.state_dir,
                                    .once = options.once},
                                   system_clock(), run.metrics));
        run.pipelines.push_back(std::move(pipeline));
    }
    return add_http(run, agent->http_listen);
}

Result<> open_printer(Collecting& run, const ModuleInfo& info, const CollectorRun& options,
                      const RunRequest& request, ByteSink& out) {
    AMOSKYS_TRY(printer, StdoutEmitter::open(out, request.output));
    run.printer = std::move(printer);
    AMOSKYS_TRY(thresholds, make_thresholds(request.loaded.get<AgentConfig>("agent")->thresholds));
    run.thresholds =
        std::make_unique<ThresholdEmitter>(*run.printer, std::move(thresholds), run.metrics);
    AMOSKYS_TRY(collector, info.make_collector({.io = run.io,
                                                .clock = system_clock(),
                                                .metrics = run.metrics,
                                                .config = request.loaded.section(info.config_root),
                                                .once = options.once,
                                                .host_name = host_name()}));
    run.collector = std::move(collector);
    return {};
}

Result<std::vector<const ModuleInfo*>> enabled(const RunRequest& request) {
    std::vector<const ModuleInfo*> infos;
    for (const std::string& name : request.loaded.get<AgentConfig>("agent")->collectors) {
        const ModuleInfo* info = find_module(name);
        if (info == nullptr || info->kind != Kind::collector)
            return make_error(ErrorKind::config, "unknown_collector",
                              "agent.collectors: '" + name + "' is no collector of this executable",
                              "amoskys modules lists them");
        infos.push_back(info);
    }
    return infos;
}

}  // namespace

std::span<const config::Option> collector_run_options() {
    return collectors_table;
}

Result<> run_collectors(std::span<const ModuleInfo* const> infos, const CollectorRun& options,
                        const RunRequest& request) {
    std::vector<const ModuleInfo*> chosen(infos.begin(), infos.end());
    if (chosen.empty()) {
        AMOSKYS_TRY(all, enabled(request));
        chosen = std::move(all);
    }
    Collecting run;
    const std::unique_ptr<ByteSink> out = file_sink(stdout);
    if (options.to_stdout && chosen.size() != 1)
        return make_error(ErrorKind::usage, "usage", "--stdout is for a single collector");
    AMOSKYS_TRY_VOID(confine(chosen, request.loaded, request.state_dir,
                             {.read = request.config_files, .write = {}}));
    if (options.to_stdout)
        AMOSKYS_TRY_VOID(open_printer(run, *chosen.front(), options, request, *out));
    else
        AMOSKYS_TRY_VOID(open_pipelines(run, chosen, options, request));
    io::TaskGroup group(run.io);
    io::Signals signals(run.io);
    signals.on_stop([&](int signal) {
        run.stop_signal = signal;
        io::notify_service_manager("STOPPING=1");
        group.cancel();
    });
    signals.on_reload([&run] {
        io::notify_service_manager("RELOADING=1");
        for (const auto& pipeline : run.pipelines)
            if (const Result<> read = pipeline->reload_key(); !read)
                log::error("agent", "reload_failed",
                           "the former key stays: " + read.error().message);
        io::notify_service_manager("READY=1");
    });
    io::Task<Result<>> main_task = options.to_stdout ? print_events(run) : run_pipelines(run);
    group.spawn("collectors", std::move(main_task));
    if (run.http != nullptr) {
        io::Task<Result<>> http = run.http->run();
        group.spawn("http", std::move(http));
    }
    io::feed_watchdog(group);
    io::asio::co_spawn(run.io, supervise(run, group), io::asio::detached);
    io::notify_service_manager("READY=1");  // spools are open: what is collected is kept
    run.io.run();
    if (run.outcome.has_error() && run.outcome.error().code == "done")
        return {};
    if (run.outcome.has_error() && run.outcome.error().kind == ErrorKind::interrupted) {
        Error stopped = run.outcome.error();
        stopped.kind = run.stop_signal == SIGTERM ? ErrorKind::terminated : ErrorKind::interrupted;
        return stopped;
    }
    return run.outcome;
}

}  // namespace amoskys::module
