#include "core/module/pipeline.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "core/base/file.h"
#include "core/log/log.h"

namespace amoskys::module {

namespace {

constexpr std::string_view component = "agent";
constexpr auto batch_check_interval = std::chrono::milliseconds(200);
constexpr auto key_change_delay = std::chrono::seconds(4);

WhenFull when_full(const AgentConfig& config, std::string_view lane) {
    if (config.spool_when_full == "auto")
        return lane == "replay" ? WhenFull::stop : WhenFull::drop_oldest;
    return config.spool_when_full == "stop" ? WhenFull::stop : WhenFull::drop_oldest;
}

}  // namespace

std::string host_name() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == 0)
        return "localhost";
    return name.data();
}

Result<std::string> choose_identity(const crypto::PkiPaths& pki, const std::string& configured) {
    if (!configured.empty())
        return configured;
    const std::vector<std::string> names = crypto::pki_agents(pki);
    if (names.size() == 1)
        return names.front();
    const std::string host = host_name();
    if (std::find(names.begin(), names.end(), host) != names.end())
        return host;
    if (names.empty())
        return make_error(
            ErrorKind::config, "no_identity", "no agent identity in " + pki.root.string(),
            "amoskys pki init makes one on the bus's host; pki issue agent NAME for another");
    std::string list;
    for (const std::string& name : names)
        list += (list.empty() ? "" : ", ") + name;
    return make_error(ErrorKind::config, "several_identities",
                      "several agent identities in " + pki.root.string() + ": " + list,
                      "choose one with --id NAME (agent.id)");
}

Pipeline::~Pipeline() = default;

Result<std::unique_ptr<Pipeline>> Pipeline::open(io::asio::io_context& io, const ModuleInfo& info,
                                                 const PipelineOptions& options, const Clock& clock,
                                                 metrics::Registry& metrics) {
    std::unique_ptr<Pipeline> pipeline(new Pipeline());
    pipeline->io_ = &io;
    pipeline->lane_ = info.name;
    pipeline->options_ = options;
    pipeline->ends_by_itself_ = info.ends_by_itself;
    const AgentConfig& agent = *options.agent;
    const crypto::PkiPaths pki{agent.pki_dir.empty() ? options.state_dir / "pki"
                                                     : std::filesystem::path(agent.pki_dir)};
    AMOSKYS_TRY(identity, choose_identity(pki, agent.id));
    pipeline->key_file_ = pki.agent_signing_key(identity);
    AMOSKYS_TRY(key, crypto::SigningKey::load(pipeline->key_file_));
    AMOSKYS_TRY(spool,
                Spool::open(io, {.folder = (agent.spool_dir.empty()
                                                ? options.state_dir / "spool"
                                                : std::filesystem::path(agent.spool_dir)) /
                                           pipeline->lane_,
                                 .agent_id = identity,
                                 .lane = pipeline->lane_,
                                 .key = std::make_shared<const crypto::SigningKey>(std::move(key)),
                                 .max_bytes = agent.spool_max_bytes.bytes,
                                 .min_free_bytes = agent.spool_min_free.bytes,
                                 .when_full = when_full(agent, pipeline->lane_),
                                 .clock = &clock}));
    pipeline->spool_ = std::move(spool);
    link::ClientOptions client;
    for (const std::string& bus : agent.bus) {
        AMOSKYS_TRY(endpoint, io::parse_endpoint(bus, 50051));
        client.buses.push_back(endpoint);
        pipeline->buses_ += (pipeline->buses_.empty() ? "" : ", ") + bus;
    }
    client.agent_id = identity;
    client.lane = pipeline->lane_;
    client.tls = {pki.ca_cert(), pki.agent_cert(identity), pki.agent_key(identity)};
    client.connect_timeout = agent.connect_timeout;
    client.send_rate_events = agent.send_rate;
    pipeline->client_ = std::make_unique<link::Client>(io, client, *pipeline->spool_);
    pipeline->emitter_ = std::make_unique<BatchEmitter>(
        *pipeline->spool_, BatchLimits{agent.batch_max_bytes.bytes, agent.batch_max_age}, clock,
        metrics, pipeline->lane_);
    AMOSKYS_TRY(collector, info.make_collector({.io = io,
                                                .clock = clock,
                                                .metrics = metrics,
                                                .config = options.collector_config,
                                                .once = options.once,
                                                .host_name = host_name()}));
    pipeline->collector_ = std::move(collector);
    return pipeline;
}

io::Task<Result<>> Pipeline::flush_batches() {
    for (;;) {
        const bool waited = co_await io::sleep_for(batch_check_interval);
        if (!waited)
            co_return Result<>();
        const Result<> flushed = co_await emitter_->flush_if_old();
        AMOSKYS_CO_TRY_VOID(flushed);
    }
}

Result<> Pipeline::reload_key() {
    AMOSKYS_TRY(key, crypto::SigningKey::load(key_file_));
    log::info(component, "key_read", "envelopes are signed with this key",
              {{"lane", lane_}, {"key_id", key.id()}});
    spool_->use_key(std::make_shared<const crypto::SigningKey>(std::move(key)));
    return {};
}

// The new key waits until the bus has had time to read the trust map that `pki rotate` wrote.
io::Task<Result<>> Pipeline::watch_key() {
    std::string in_use = file_stamp(key_file_);
    for (;;) {
        const bool slept = co_await io::sleep_for(key_change_delay);
        if (!slept)
            co_return Result<>();
        const std::string now = file_stamp(key_file_);
        if (now == in_use)
            continue;
        const bool waited = co_await io::sleep_for(key_change_delay);
        if (!waited)
            co_return Result<>();
        in_use = now;
        if (const Result<> read = reload_key(); !read)
            log::error(component, "key_refused", "the former key stays: " + read.error().message,
                       {{"lane", lane_}});
    }
}

// By a signal: what was collected is signed (the spool's close() puts it on disk). For work that
// has an end that is a failure, for a collector that runs for ever it is not.
Result<> Pipeline::stop(const Result<>& collected) {
    const Result<> sealed = emitter_->seal_now();
    if (sealed.has_error())
        return sealed;
    if (collected.has_error() && collected.error().kind != ErrorKind::interrupted)
        return collected;
    if (!options_.once && !ends_by_itself_)
        return {};
    return make_error(ErrorKind::interrupted, "stopped", "stopped before the bus had everything",
                      std::to_string(spool_->stats().pending_envelopes) +
                          " envelopes stay in the spool and are sent by the next run");
}

// A collector that ends by itself (one cycle with --once, the end of a replayed file) ends the
// pipeline, but only once the bus has everything.
io::Task<Result<>> Pipeline::collect() {
    const Result<> collected = co_await collector_->run(*emitter_);
    const bool stopped = co_await io::cancelled();
    if (stopped)
        co_return stop(collected);
    const Result<> flushed = co_await emitter_->flush();
    if (flushed.has_error())
        co_return flushed;
    const std::uint64_t pending = spool_->stats().pending_envelopes;
    if (collected.has_error() && pending == 0)
        co_return collected;
    const bool acked = co_await spool_->wait_acked_all(options_.agent->ack_timeout);
    if (collected.has_error())
        co_return collected;
    if (acked)  // ends the group; run() makes it success
        co_return make_error(ErrorKind::finding, "done", "");
    const bool stopped_waiting = co_await io::cancelled();
    if (stopped_waiting)
        co_return stop(collected);
    const std::string why = client_->stats().last_error;
    co_return make_error(ErrorKind::unavailable, "not_acknowledged",
                         "bus " + buses_ + ": nothing acknowledged for " +
                             format_duration(options_.agent->ack_timeout) +
                             (why.empty() ? "" : ": " + why),
                         std::to_string(spool_->stats().pending_envelopes) +
                             " envelopes stay in the spool and are sent by the next run");
}

io::Task<Result<>> Pipeline::run() {
    io::TaskGroup group(*io_);
    io::Task<Result<>> client = client_->run();
    group.spawn("client " + lane_, std::move(client));
    io::Task<Result<>> batches = flush_batches();
    group.spawn("batches " + lane_, std::move(batches));
    io::Task<Result<>> key = watch_key();
    group.spawn("key " + lane_, std::move(key));
    io::Task<Result<>> collecting = collect();
    group.spawn("collector " + lane_, std::move(collecting));
    Result<> joined = co_await group.join();
    if (!joined && joined.error().code == "done")
        joined = Result<>();
    const Result<> closed = spool_->close();
    if (!closed)
        log::error(component, "spool_close_failed", closed.error().message, {{"lane", lane_}});
    co_return joined ? closed : joined;
}

}  // namespace amoskys::module
