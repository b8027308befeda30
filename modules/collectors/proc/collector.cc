#include "modules/collectors/proc/collector.h"

#include <algorithm>

#include "core/log/log.h"

namespace amoskys::proc {
namespace {

enum Index { records, events, bytes, read_bytes, scan_seconds, processes, skipped, errors };

constexpr double scan_buckets[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5};

constexpr metrics::MetricInfo table[] = {
    {"amoskys_proc_records_total", metrics::Kind::counter, "records",
     "host metric records emitted"},
    {"amoskys_proc_events_total", metrics::Kind::counter, "events",
     "events emitted: SNAPSHOT, START and EXIT of processes, METRIC of the host", "kind"},
    {"amoskys_proc_bytes_total", metrics::Kind::counter, "bytes",
     "serialized size of what was emitted"},
    {"amoskys_proc_read_bytes_total", metrics::Kind::counter, "bytes",
     "bytes read from /proc for processes"},
    {"amoskys_proc_scan_seconds", metrics::Kind::histogram, "seconds",
     "time of one cycle, waiting for the emitter included", "", scan_buckets},
    {"amoskys_proc_processes", metrics::Kind::gauge, "processes",
     "processes known after the last scan"},
    {"amoskys_proc_skipped_processes_total", metrics::Kind::counter, "processes",
     "listed processes that gave no event: ended while being read, refused, unreadable text, over "
     "max_processes",
     "reason"},
    {"amoskys_proc_errors_total", metrics::Kind::counter, "errors",
     "failures: the list of processes, files of the host", "reason"},
};

}  // namespace

const std::span<const metrics::MetricInfo> proc_metrics = table;

struct ProcCollector::Metrics {
    explicit Metrics(metrics::Registry& all) : registry(all) {}
    metrics::Counter& count(Index index, std::string_view label = {}) {
        return registry.counter(table[index], label);
    }
    metrics::Registry& registry;
};

Result<std::unique_ptr<module::Collector>> ProcCollector::make(
    const module::CollectorContext& context) {
    const auto& config = *std::static_pointer_cast<const ProcConfig>(context.config);
    AMOSKYS_TRY(fields, parse_fields(config.fields));
    AMOSKYS_TRY(reader, ProcessReader::open(config.proc_root, fields, config.passwd));
    return std::unique_ptr<module::Collector>(new ProcCollector(context, std::move(reader)));
}

ProcCollector::ProcCollector(const module::CollectorContext& context,
                             std::unique_ptr<ProcessReader> reader)
    : context_(context),
      config_(std::static_pointer_cast<const ProcConfig>(context.config)),
      metrics_(std::make_shared<Metrics>(context.metrics)),
      reader_(std::move(reader)),
      tracker_(reader_->ticks_per_second()),
      host_reader_(config_->proc_root, config_->sys_root),
      thread_(context.io, "proc", 1) {}

io::Task<Result<>> ProcCollector::run(module::Emitter& emitter) {
    if (config_->first_sample.count() != 0) {
        // What fails here fails again in the first cycle, which reports it.
        const auto primed = co_await on_thread(&ProcCollector::prime);
        const bool waited = co_await io::sleep_for(config_->first_sample);
        if (!waited)
            co_return Result<>();
        if (!primed)
            log::debug("proc", "first_look_failed", primed.error().message);
    }
    auto due = context_.clock.steady();
    while (true) {
        const auto began = context_.clock.steady();
        auto result = co_await cycle(emitter);
        const std::chrono::duration<double> took = context_.clock.steady() - began;
        metrics_->registry.histogram(table[scan_seconds]).observe(took.count());
        if (context_.once || (!result && result.error().kind != ErrorKind::unavailable))
            co_return result;
        if (!result) {
            metrics_->count(errors, "list").add();
            if (log::allow("proc.scan_failed"))
                log::warning("proc", "scan_failed", result.error().message);
        }
        // At a fixed rate; cycles that a slow emitter took the time of are left out, not made up
        // for.
        const auto interval =
            std::chrono::duration_cast<std::chrono::steady_clock::duration>(config_->interval);
        do
            due += interval;
        while (due <= context_.clock.steady());
        const bool waited = co_await io::sleep_for(due - context_.clock.steady());
        if (!waited)
            co_return Result<>();
    }
}

io::Task<Result<>> ProcCollector::on_thread(Result<> (ProcCollector::*work)()) {
    std::function<Result<>()> call = [this, work] { return (this->*work)(); };
    auto task = thread_.run(std::move(call));
    co_return co_await std::move(task);
}

io::Task<Result<>> ProcCollector::cycle(module::Emitter& emitter) {
    if (config_->processes)
        AMOSKYS_CO_TRY_VOID(co_await emit_processes(emitter));
    if (config_->host_metrics)
        AMOSKYS_CO_TRY_VOID(co_await emit_host(emitter));
    co_return co_await emitter.flush();
}

io::Task<Result<>> ProcCollector::emit_processes(module::Emitter& emitter) {
    AMOSKYS_CO_TRY_VOID(co_await on_thread(&ProcCollector::start_scan));
    while (!scan_done_) {
        AMOSKYS_CO_TRY_VOID(co_await on_thread(&ProcCollector::fill_chunk));
        if (chunk_.empty())
            continue;
        for (const auto& event : chunk_)
            metrics_->count(events, event.kind()).add();
        metrics_->count(bytes).add(chunk_size_bytes_);
        std::vector<messaging::ProcessEvent> chunk;
        chunk.swap(chunk_);
        std::string device = context_.host_name;
        auto sending = emitter.emit(std::move(device), std::move(chunk));
        AMOSKYS_CO_TRY_VOID(co_await std::move(sending));
    }
    metrics_->registry.gauge(table[processes]).set(static_cast<double>(tracker_.size()));
    co_return Result<>();
}

io::Task<Result<>> ProcCollector::emit_host(module::Emitter& emitter) {
    AMOSKYS_CO_TRY_VOID(co_await on_thread(&ProcCollector::read_host));
    metrics_->count(records).add();
    metrics_->count(events, "METRIC").add(static_cast<std::uint64_t>(host_record_.events_size()));
    metrics_->count(bytes).add(host_record_.ByteSizeLong());
    messaging::DeviceTelemetry record;
    record.Swap(&host_record_);
    auto sending = emitter.emit(std::move(record));
    co_return co_await std::move(sending);
}

Result<> ProcCollector::prime() {
    if (config_->host_metrics)
        host_recorder_.prime(host_reader_.read_stat());
    if (!config_->processes)
        return {};
    AMOSKYS_TRY(pids, reader_->list());
    for (const Pid pid : pids)
        if (reader_->read_ticks(pid, sample_) == ReadOutcome::read)
            tracker_.prime(sample_);
    return {};
}

Result<> ProcCollector::start_scan() {
    reader_->begin(context_.clock);
    auto pids = reader_->list();
    if (!pids)
        return make_error(ErrorKind::unavailable, "proc_unreadable", pids.error().message);
    pids_ = std::move(*pids);
    next_pid_ = 0;
    end_pid_ = std::min<std::size_t>(pids_.size(), config_->max_processes);
    scan_done_ = false;
    if (pids_.empty())
        return make_error(ErrorKind::unavailable, "proc_empty",
                          config_->proc_root + ": no process is listed; is /proc mounted there?");
    metrics_->count(skipped, "max_processes").add(pids_.size() - end_pid_);
    return {};
}

void ProcCollector::add(messaging::ProcessEvent event) {
    chunk_size_bytes_ += event.ByteSizeLong() + 8;  // tag and length in the batch
    chunk_.push_back(std::move(event));
}

Result<> ProcCollector::fill_chunk() {
    chunk_.clear();
    chunk_size_bytes_ = 0;
    const auto bytes_before = reader_->bytes_read();
    while (chunk_size_bytes_ < chunk_bytes) {
        if (!exits_.empty()) {
            add(std::move(exits_.back()));
            exits_.pop_back();
        } else if (next_pid_ < end_pid_) {
            const auto outcome = reader_->read(pids_[next_pid_++], sample_);
            if (outcome == ReadOutcome::read) {
                tracker_.observe(sample_, exits_);
                add(std::move(sample_.event));
            } else {
                constexpr std::string_view reasons[] = {"", "gone", "denied", "malformed"};
                metrics_->count(skipped, reasons[static_cast<std::size_t>(outcome)]).add();
            }
        } else if (!pids_.empty()) {
            tracker_.end_scan(pids_, context_.clock.now_ns(), reader_->uptime_ns(), exits_);
            pids_.clear();
            next_pid_ = end_pid_ = 0;
        } else {
            scan_done_ = true;
            break;
        }
    }
    metrics_->count(read_bytes).add(reader_->bytes_read() - bytes_before);
    return {};
}

Result<> ProcCollector::read_host() {
    host_record_.Clear();
    host_record_.set_device_id(context_.host_name);
    host_record_.set_device_type("ENDPOINT");
    host_record_.set_protocol("PROC");
    host_record_.set_collection_agent("proc");
    host_record_.set_timestamp_ns(context_.clock.now_ns());
    host_record_.set_collection_interval_ms(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(config_->interval).count()));
    const auto unreadable = host_reader_.unreadable();
    host_recorder_.record(host_reader_.read(), host_record_);
    metrics_->count(errors, "host_file").add(host_reader_.unreadable() - unreadable);
    return {};
}

}  // namespace amoskys::proc
