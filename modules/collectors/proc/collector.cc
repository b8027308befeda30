#include "modules/collectors/proc/collector.h"

#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/post.hpp>

#include "core/log/log.h"
#include "modules/collectors/proc/connector.h"
#include "modules/collectors/proc/privileges.h"

namespace amoskys::proc {

Result<std::unique_ptr<module::Collector>> ProcCollector::make(
    const module::CollectorContext& context) {
    const auto& config = *std::static_pointer_cast<const ProcConfig>(context.config);
    ReaderOptions options;
    AMOSKYS_TRY(fields, parse_fields(config.fields));
    options.fields = fields;
    options.passwd = config.passwd;
    options.group = config.group;
    options.hash_budget_bytes = config.hash_budget.bytes;
    options.hash_max_bytes = config.hash_max.bytes;
    AMOSKYS_TRY(allow, AllowList::parse(config.allow));
    AMOSKYS_TRY(reader, ProcessReader::open(config.proc_root, options));
    return std::unique_ptr<module::Collector>(
        new ProcCollector(context, std::move(reader), std::move(allow)));
}

ProcCollector::ProcCollector(const module::CollectorContext& context,
                             std::unique_ptr<ProcessReader> reader, AllowList allow)
    : context_(context),
      config_(std::static_pointer_cast<const ProcConfig>(context.config)),
      metrics_(context.metrics),
      wake_(std::make_shared<io::Event>(context.io)),
      queue_(
          [&loop = context.io, wake = wake_] { io::asio::post(loop, [wake] { wake->notify(); }); }),
      worker_({*config_, context_.clock, context_.metrics, context_.host_name}, std::move(reader),
              std::move(allow), queue_),
      host_reader_(config_->proc_root, config_->sys_root),
      thread_(context.io, "proc", 1) {}

io::Task<Result<>> ProcCollector::on_thread(Result<> (ProcCollector::*work)()) {
    std::function<Result<>()> call = [this, work] { return (this->*work)(); };
    auto task = thread_.run(std::move(call));
    co_return co_await std::move(task);
}

io::Task<Result<>> ProcCollector::run(module::Emitter& emitter) {
    io::TaskGroup group(context_.io);
    auto producing = produce();
    group.spawn("proc", std::move(producing));
    auto consuming = consume(emitter);
    auto consumed = co_await std::move(consuming);
    worker_.stop();
    group.cancel();
    auto joining = group.join();
    auto joined = co_await std::move(joining);
    if (!consumed)
        co_return consumed;
    co_return joined;
}

io::Task<Result<>> ProcCollector::consume(module::Emitter& emitter) {
    while (true) {
        auto output = queue_.pop();
        if (!output) {
            if (produced_)
                co_return Result<>();
            const bool more = co_await wake_->wait();
            if (!more)
                co_return Result<>();
            continue;
        }
        if (!output->processes.empty()) {
            std::string device = context_.host_name;
            auto sending = emitter.emit(std::move(device), std::move(output->processes));
            AMOSKYS_CO_TRY_VOID(co_await std::move(sending));
        }
        if (output->record) {
            auto sending = emitter.emit(std::move(*output->record));
            AMOSKYS_CO_TRY_VOID(co_await std::move(sending));
        }
        if (output->end_of_scan)
            AMOSKYS_CO_TRY_VOID(co_await emitter.flush());
    }
}

io::Task<Result<>> ProcCollector::produce() {
    auto working = cycles();
    auto result = co_await std::move(working);
    produced_ = true;
    wake_->notify();
    co_return result;
}

io::Task<Result<>> ProcCollector::cycles() {
    AMOSKYS_CO_TRY_VOID(co_await on_thread(&ProcCollector::open_source));
    if (config_->first_sample.count() != 0) {
        // What fails here fails again in the first scan, which reports it.
        const auto primed = co_await on_thread(&ProcCollector::prime);
        const bool waited = co_await io::sleep_for(config_->first_sample);
        if (!waited)
            co_return Result<>();
        if (!primed)
            log::debug("proc", "first_look_failed", primed.error().message);
    }
    due_ = context_.clock.steady();
    while (true) {
        const auto began = context_.clock.steady();
        auto result = co_await on_thread(&ProcCollector::scan);
        const std::chrono::duration<double> took = context_.clock.steady() - began;
        metrics_.observe(ProcMetrics::scan_seconds, took.count());
        if (context_.once || (!result && result.error().kind != ErrorKind::unavailable))
            co_return result;
        if (!result) {
            metrics_.add(ProcMetrics::errors, "list", 1);
            if (log::allow("proc.scan_failed"))
                log::warning("proc", "scan_failed", result.error().message);
        }
        // At a fixed rate; cycles that a slow emitter took the time of are left out, not made up
        // for.
        const auto interval =
            std::chrono::duration_cast<std::chrono::steady_clock::duration>(config_->interval);
        while (due_ <= context_.clock.steady())
            due_ += interval;
        if (worker_.follows())
            AMOSKYS_CO_TRY_VOID(co_await on_thread(&ProcCollector::watch));
        else
            co_await io::sleep_for(due_ - context_.clock.steady());
        const bool stopped = co_await io::cancelled();
        if (stopped)
            co_return Result<>();
    }
}

Result<> ProcCollector::open_source() {
    const bool wanted = config_->processes && !context_.once && config_->life_cycle != "poll";
    if (wanted && worker_.reader().is_procfs()) {
        auto source = open_connector(config_->life_cycle_buffer.bytes);
        if (source) {
            worker_.follow(std::move(*source));
            // Arguments of short-lived programs are read in time or never.
            constexpr int ahead_of_others = -10;
            if (::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), ahead_of_others) != 0)
                log::debug("proc", "priority", "no CAP_SYS_NICE: more arguments will be too late");
        } else if (config_->life_cycle == "connector")
            return source.error();
        else
            log::info("proc", "life_cycle_polled", source.error().message,
                      {{"interval", format_duration(config_->interval)}});
    }
    metrics_.set(ProcMetrics::life_cycle_active, worker_.follows() ? 1 : 0);
    return keep_reading_capabilities();
}

Result<> ProcCollector::prime() {
    if (config_->host_metrics)
        host_recorder_.prime(host_reader_.read_stat());
    return config_->processes ? worker_.prime() : Result<>();
}

Result<> ProcCollector::scan() {
    if (config_->processes)
        AMOSKYS_TRY_VOID(worker_.scan());
    Output last;
    last.end_of_scan = true;
    if (config_->host_metrics) {
        last.record.emplace();
        read_host(*last.record);
    }
    queue_.push(std::move(last));
    return {};
}

Result<> ProcCollector::watch() {
    auto result = worker_.watch(due_);
    if (!result)
        metrics_.add(ProcMetrics::errors, "life_cycle", 1);
    return result;
}

void ProcCollector::read_host(messaging::DeviceTelemetry& record) {
    record.set_device_id(context_.host_name);
    record.set_device_type("ENDPOINT");
    record.set_protocol("PROC");
    record.set_collection_agent("proc");
    record.set_timestamp_ns(context_.clock.now_ns());
    record.set_collection_interval_ms(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(config_->interval).count()));
    const auto unreadable = host_reader_.unreadable();
    host_recorder_.record(host_reader_.read(), record);
    metrics_.add(ProcMetrics::errors, "host_file", host_reader_.unreadable() - unreadable);
    metrics_.add(ProcMetrics::records, "HOST", 1);
    metrics_.add(ProcMetrics::events, "METRIC", static_cast<std::uint64_t>(record.events_size()));
    metrics_.add(ProcMetrics::bytes, "", record.ByteSizeLong());
}

}  // namespace amoskys::proc
