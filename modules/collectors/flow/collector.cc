#include "modules/collectors/flow/collector.h"

#include <algorithm>

#include "core/crypto/hash.h"
#include "core/log/log.h"
#include "modules/collectors/flow/privileges.h"

namespace amoskys::flow {
namespace {

enum Index {
    frames,
    bytes,
    packets,
    skipped,
    bad_checksums,
    flows,
    events,
    tracked,
    table_bytes,
    evicted,
    fragments,
    dropped,
    errors
};

constexpr metrics::MetricInfo table[] = {
    {"amoskys_flow_frames_total", metrics::Kind::counter, "frames", "frames read"},
    {"amoskys_flow_bytes_total", metrics::Kind::counter, "bytes", "bytes of them on the wire"},
    {"amoskys_flow_packets_total", metrics::Kind::counter, "packets",
     "packets counted in a flow; a tunnel and what it carries count each"},
    {"amoskys_flow_skipped_frames_total", metrics::Kind::counter, "frames",
     "frames without a packet of a flow", "reason"},
    {"amoskys_flow_bad_checksums_total", metrics::Kind::counter, "packets",
     "TCP, UDP and ICMP packets with a wrong checksum, not counted in their flow"},
    {"amoskys_flow_flows_total", metrics::Kind::counter, "flows", "flows seen"},
    {"amoskys_flow_events_total", metrics::Kind::counter, "events",
     "records of flows emitted, by why", "reason"},
    {"amoskys_flow_tracked_flows", metrics::Kind::gauge, "flows", "flows in the table"},
    {"amoskys_flow_table_bytes", metrics::Kind::gauge, "bytes", "memory of the flow table"},
    {"amoskys_flow_evicted_flows_total", metrics::Kind::counter, "flows",
     "flows that ended early because the table was full, by what they were", "kind"},
    {"amoskys_flow_fragments_total", metrics::Kind::counter, "fragments",
     "IP fragments read, and datagrams made of them or given up", "what"},
    {"amoskys_flow_dropped_packets_total", metrics::Kind::counter, "packets",
     "packets lost before they were read: by the kernel's full ring, by the interface", "where"},
    {"amoskys_flow_errors_total", metrics::Kind::counter, "errors",
     "failures of interfaces and files", "reason"},
};

constexpr auto capture_slice = std::chrono::milliseconds(200);
constexpr std::size_t flows_per_finish = 1024;

UnixNanos nanoseconds(Duration duration) {
    return static_cast<UnixNanos>(duration.count());
}

std::uint64_t random_secret() {
    std::array<std::uint8_t, 8> secret{};
    crypto::random_bytes(secret);
    return load_be64(secret.data());
}

}  // namespace

const std::span<const metrics::MetricInfo> flow_metrics = table;

EngineOptions engine_options(const FlowConfig& config) {
    EngineOptions out;
    // Sending cards fill checksums in after the capture: on interfaces they say little.
    out.verify_checksums =
        config.checksums == "verify" || (config.checksums == "auto" && !config.read.empty());
    out.max_flows = config.table_max.bytes / FlowTable::bytes_per_flow;
    out.tcp_idle_ns = nanoseconds(config.tcp_timeout);
    out.udp_idle_ns = nanoseconds(config.udp_timeout);
    out.dns_idle_ns = nanoseconds(config.dns_timeout);
    out.icmp_idle_ns = nanoseconds(config.icmp_timeout);
    out.active_ns = nanoseconds(config.active_timeout);
    out.tcp.attempt_ns = nanoseconds(config.attempt_timeout);
    out.tcp.close_ns = nanoseconds(config.close_delay);
    out.hash_secret = random_secret();
    return out;
}

Result<std::unique_ptr<module::Collector>> FlowCollector::make(
    const module::CollectorContext& context) {
    const auto& config = *std::static_pointer_cast<const FlowConfig>(context.config);
    if (config.read.empty() && config.interfaces.empty())
        return make_error(ErrorKind::usage, "flow_no_input",
                          "agent flow: name an interface with -i or a capture file with -r");
    if (std::count(config.read.begin(), config.read.end(), "-") > 1)
        return make_error(ErrorKind::usage, "flow_stdin_twice",
                          "agent flow: - (stdin) can be read only once");
    return std::unique_ptr<module::Collector>(new FlowCollector(context));
}

FlowCollector::FlowCollector(const module::CollectorContext& context)
    : context_(context),
      config_(std::static_pointer_cast<const FlowConfig>(context.config)),
      engine_(engine_options(*config_), *this, config_->services ? &detector_ : nullptr),
      thread_(context.io, "flow", 1) {
    event_options_.community_seed = static_cast<std::uint16_t>(config_->community_id_seed);
    if (!from_files())
        event_options_.interfaces = config_->interfaces;
}

io::Task<Result<>> FlowCollector::on_thread(Result<> (FlowCollector::*work)()) {
    std::function<Result<>()> call = [this, work] { return (this->*work)(); };
    auto task = thread_.run(std::move(call));
    co_return co_await std::move(task);
}

io::Task<Result<>> FlowCollector::run(module::Emitter& emitter) {
    began_ = context_.clock.steady();
    auto opened = co_await on_thread(&FlowCollector::open);
    if (!opened) {
        context_.metrics.counter(table[errors], opened.error().code).add();
        co_return opened;
    }
    bool stopped = false;
    while (!input_ended_ && !stopped) {
        AMOSKYS_CO_TRY_VOID(co_await on_thread(&FlowCollector::capture));
        AMOSKYS_CO_TRY_VOID(co_await send(emitter));
        stopped = co_await io::cancelled();
        if (context_.once && !from_files())
            stopped = stopped || context_.clock.steady() - began_ >= config_->duration;
    }
    // What is still open is published too, also after a signal.
    while (!all_ended_) {
        AMOSKYS_CO_TRY_VOID(co_await on_thread(&FlowCollector::finish));
        AMOSKYS_CO_TRY_VOID(co_await send(emitter));
    }
    report();
    AMOSKYS_CO_TRY_VOID(co_await emitter.flush());
    if (input_error_) {
        context_.metrics.counter(table[errors], input_error_->code).add();
        co_return *input_error_;
    }
    if (stopped && from_files())
        co_return make_error(ErrorKind::partial, "flow_stopped",
                             "stopped before the end of the files");
    co_return Result<>();
}

io::Task<Result<>> FlowCollector::send(module::Emitter& emitter) {
    count();
    if (chunk_.empty())
        co_return Result<>();
    std::vector<messaging::FlowEvent> chunk;
    chunk.swap(chunk_);
    std::string device = context_.host_name;
    auto sending = emitter.emit(std::move(device), std::move(chunk));
    co_return co_await std::move(sending);
}

void FlowCollector::record(const Flow& flow, EndReason reason) {
    chunk_.push_back(to_event(flow, reason, event_options_));
    detector_.describe(flow, chunk_.back());
}

Result<> FlowCollector::open() {
    if (from_files()) {
        AMOSKYS_TRY(source, open_files(config_->read, config_->filter));
        source_ = std::move(source);
        return {};
    }
    LiveOptions options;
    options.interfaces = config_->interfaces;
    options.filter = config_->filter;
    options.snapshot_bytes = static_cast<std::uint32_t>(config_->snapshot);
    options.buffer_bytes = config_->buffer.bytes;
    options.promiscuous = config_->promiscuous;
    AMOSKYS_TRY(source, open_live(options));
    source_ = std::move(source);
    return drop_all_capabilities();
}

Result<> FlowCollector::capture() {
    const auto until = context_.clock.steady() + capture_slice;
    while (chunk_.size() < chunk_flows && context_.clock.steady() < until) {
        auto more = source_->pump(engine_);
        if (!more)
            input_error_ = more.error();
        input_ended_ = !more || !*more;
        if (input_ended_)
            break;
    }
    captured_ = source_->counts();
    filtered_ = source_->filtered();
    return {};
}

Result<> FlowCollector::finish() {
    all_ended_ = engine_.finish(flows_per_finish);
    return {};
}

// On the io thread, while the capture thread rests.
void FlowCollector::count() {
    const EngineStats& now = engine_.stats();
    EngineStats& before = counted_;
    auto& all = context_.metrics;
    all.counter(table[frames]).add(now.frames - before.frames);
    all.counter(table[bytes]).add(now.frame_bytes - before.frame_bytes);
    all.counter(table[packets]).add(now.packets - before.packets);
    for (std::size_t i = 0; i < verdicts; ++i)
        if (now.verdict[i] != before.verdict[i])
            all.counter(table[skipped], verdict_name(static_cast<Verdict>(i)))
                .add(now.verdict[i] - before.verdict[i]);
    all.counter(table[bad_checksums]).add(now.bad_checksums - before.bad_checksums);
    all.counter(table[flows]).add(now.flows - before.flows);
    for (const auto& event : chunk_)
        all.counter(table[events], event.end_reason()).add();
    all.gauge(table[tracked]).set(static_cast<double>(engine_.table().size()));
    all.gauge(table[table_bytes]).set(static_cast<double>(engine_.table().memory_bytes()));
    const auto add = [&](Index index, std::string_view label, std::uint64_t more) {
        if (more != 0)
            all.counter(table[index], label).add(more);
    };
    add(evicted, "closing", now.evicted_closing - before.evicted_closing);
    add(evicted, "idle", now.evicted_idle - before.evicted_idle);
    add(evicted, "unanswered", now.evicted_unanswered - before.evicted_unanswered);
    add(evicted, "active", now.evicted_active - before.evicted_active);
    add(fragments, "read", now.fragments - before.fragments);
    add(fragments, "datagrams", now.datagrams - before.datagrams);
    add(fragments, "given_up", now.datagrams_given_up - before.datagrams_given_up);
    captured_before_.resize(captured_.size());
    for (std::size_t i = 0; i < captured_.size(); ++i) {
        const CaptureCounts& counts = captured_[i].second;
        const CaptureCounts& last = captured_before_[i].second;
        const std::uint64_t lost = counts.dropped - last.dropped;
        add(dropped, "kernel", lost);
        add(dropped, "interface", counts.dropped_by_interface - last.dropped_by_interface);
        if (lost != 0 && log::allow("flow.dropped"))
            log::warning("flow", "packets_dropped", "the kernel's ring was full",
                         {{"interface", captured_[i].first}, {"packets", lost}});
    }
    captured_before_ = captured_;
    before = now;
}

void FlowCollector::report() const {
    const EngineStats& stats = engine_.stats();
    std::uint64_t lost = 0;
    for (const auto& [name, counts] : captured_)
        lost += counts.dropped + counts.dropped_by_interface;
    const double seconds = std::chrono::duration<double>(context_.clock.steady() - began_).count();
    log::info("flow", "finished", from_files() ? "end of the files" : "capture ended",
              {{"frames", stats.frames},
               {"packets", stats.packets},
               {"flows", stats.flows},
               {"records", stats.records},
               {"filtered", filtered_},
               {"dropped", lost},
               {"seconds", seconds}});
}

}  // namespace amoskys::flow
