// Long-running services: signals, reload, readiness.
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "core/base/file.h"
#include "core/io/file_watch.h"
#include "core/io/service_manager.h"
#include "core/log/log.h"
#include "core/module/confine.h"
#include "core/module/run.h"
#include "core/module/service_host.h"

namespace amoskys::module {

namespace {

using config::option;

constexpr auto watch_interval = std::chrono::seconds(2);

constexpr std::array service_table{
    option<&ServiceRun::ready_file>("ready_file", "",
                                    "file that gets one JSON object with the addresses in use", {},
                                    {.command_line_only = true}),
};

struct Serving {
    io::asio::io_context io;
    metrics::Registry metrics;
    std::unique_ptr<Service> service;
    Result<> outcome;
};

io::Task<void> supervise(Serving& run, io::TaskGroup& group) {
    run.outcome = co_await group.join();
    run.io.stop();
}

void reload(Serving& run, const ModuleInfo& info, const RunRequest& request) {
    io::notify_service_manager("RELOADING=1");
    const Result<config::Loaded> loaded = request.reload();
    const Result<> done =
        loaded ? run.service->reload(loaded->section(info.config_root)) : Result<>(loaded.error());
    if (!done)
        log::error(info.name, "reload_failed",
                   "the former state stays: " + std::string(done.error().message));
    else
        log::info(info.name, "reloaded", "configuration, certificates and trust map");
    io::notify_service_manager("READY=1");
}

io::Task<Result<>> watch_configuration(Serving& run, const ModuleInfo& info,
                                       const RunRequest& request) {
    io::FileWatch files(request.config_files);
    while (true) {
        const bool slept = co_await io::sleep_for(watch_interval);
        if (!slept)
            co_return Result<>();
        if (files.changed())
            reload(run, info, request);
    }
}

// The group ends with the service, whatever else is in it.
io::Task<Result<>> serve(Serving& run, io::TaskGroup& group) {
    io::Task<Result<>> task = run.service->run();
    Result<> outcome = co_await std::move(task);
    group.cancel();
    co_return outcome;
}

}  // namespace

std::span<const config::Option> service_run_options() {
    return service_table;
}

ReadyFile::ReadyFile(std::string path) : path_(std::move(path)) {}

ReadyFile::~ReadyFile() {
    if (written_)
        ::unlink(path_.c_str());
}

void ReadyFile::ready(const Json& addresses) {
    if (!path_.empty()) {
        const Result<> done = write_file_atomic(path_, json::dump(addresses) + "\n", 0644);
        written_ = done.has_value();
        if (!done)
            log::error("host", "ready_file_failed", done.error().message);
    }
    io::notify_service_manager("READY=1");
}

Result<> run_service(const ModuleInfo& info, const ServiceRun& options, const RunRequest& request) {
    Serving run;
    if (!options.ready_file.empty()) {  // that it cannot be written is said before anything starts
        const std::string probe =
            options.ready_file + ".probe";  // under its own name it would be read
        AMOSKYS_TRY_VOID(write_file_atomic(probe, "", 0644));
        ::unlink(probe.c_str());
        ::unlink(options.ready_file.c_str());
    }
    const std::array modules = {&info};
    FurtherPaths further{.read = request.config_files, .write = {}};
    if (!options.ready_file.empty())
        further.write.emplace_back(options.ready_file);
    AMOSKYS_TRY_VOID(confine(modules, request.loaded, request.state_dir, further));
    ReadyFile host(options.ready_file);
    AMOSKYS_TRY(service, info.make_service({.io = run.io,
                                            .clock = system_clock(),
                                            .metrics = run.metrics,
                                            .config = request.loaded.section(info.config_root),
                                            .state_dir = request.state_dir,
                                            .host = host,
                                            .loaded = &request.loaded}));
    run.service = std::move(service);
    io::TaskGroup group(run.io);
    io::Signals signals(run.io);
    signals.on_stop([&group](int) {
        io::notify_service_manager("STOPPING=1");
        group.cancel();
    });
    signals.on_reload([&] { reload(run, info, request); });
    group.spawn(std::string(info.name), serve(run, group));
    io::feed_watchdog(group);
    if (!request.config_files.empty())
        group.spawn("configuration files", watch_configuration(run, info, request));
    io::asio::co_spawn(run.io, supervise(run, group), io::asio::detached);
    run.io.run();
    return run.outcome;
}

}  // namespace amoskys::module
