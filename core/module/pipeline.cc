#include "core/module/pipeline.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "core/base/file.h"
#include "core/log/log.h"
#include "core/module/lane_metrics.h"

namespace amoskys::module {

namespace {

constexpr std::string_view agent_component = "agent";
constexpr auto batch_check_interval = std::chrono::milliseconds(200);
constexpr auto key_change_delay = std::chrono::seconds(4);

constexpr auto last_receipt_patience = std::chrono::seconds(2);
constexpr auto grouped_sync = std::chrono::milliseconds(100);

WhenFull when_full(const AgentConfig& config, const ModuleInfo& info) {
    if (config.spool_when_full == "auto")
        return info.ends_by_itself ? WhenFull::stop : WhenFull::drop_oldest;
    return config.spool_when_full == "stop" ? WhenFull::stop : WhenFull::drop_oldest;
}

Duration sync_interval(const AgentConfig& config, const ModuleInfo& info) {
    if (config.spool_sync == "auto")
        return info.spool_sync;
    return config.spool_sync == "grouped" ? Duration(grouped_sync) : Duration();
}

link::Compress compression(const AgentConfig& config) {
    if (config.compression == "auto")
        return link::Compress::automatic;
    return config.compression == "on" ? link::Compress::on : link::Compress::off;
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
    pipeline->clock_ = &clock;
    pipeline->metrics_ = &metrics;
    pipeline->options_ = options;
    pipeline->ends_by_itself_ = info.ends_by_itself;
    AMOSKYS_TRY_VOID(pipeline->prepare(info));
    const std::string name(info.name);
    AMOSKYS_TRY(lane, pipeline->open_lane(name));
    pipeline->lanes_.reserve(2);
    pipeline->lanes_.push_back(std::move(lane));
    std::error_code failed;
    if (std::filesystem::exists(pipeline->spool_root_ / (name + "-urgent"), failed))
        AMOSKYS_TRY_VOID(pipeline->urgent_spool());
    const AgentConfig& agent = *options.agent;
    pipeline->emitter_ = std::make_unique<BatchEmitter>(
        *pipeline->lanes_.front().spool,
        BatchLimits{std::min(agent.batch_max_bytes.bytes,
                             agent.max_envelope_bytes.bytes - wire::envelope_overhead_bytes),
                    agent.batch_max_age},
        clock, metrics, name, [raw = pipeline.get()] { return raw->urgent_spool(); });
    AMOSKYS_TRY(thresholds, make_thresholds(agent.thresholds));
    pipeline->thresholds_ = std::make_unique<ThresholdEmitter>(
        *pipeline->emitter_, std::move(thresholds), metrics,
        AlarmMemory(pipeline->spool_root_ / name / "alarms.json"));
    AMOSKYS_TRY(collector, info.make_collector({.io = io,
                                                .clock = clock,
                                                .metrics = metrics,
                                                .config = options.collector_config,
                                                .once = options.once,
                                                .host_name = host_name()}));
    pipeline->collector_ = std::move(collector);
    return pipeline;
}

// What all lanes share.
Result<> Pipeline::prepare(const ModuleInfo& info) {
    const AgentConfig& agent = *options_.agent;
    const crypto::PkiPaths pki{agent.pki_dir.empty() ? options_.state_dir / "pki"
                                                     : std::filesystem::path(agent.pki_dir)};
    AMOSKYS_TRY(identity, choose_identity(pki, agent.id));
    key_file_ = pki.agent_signing_key(identity);
    certificate_file_ = pki.agent_cert(identity);
    AMOSKYS_TRY(key, crypto::SigningKey::load(key_file_));
    spool_root_ = agent.spool_dir.empty() ? options_.state_dir / "spool"
                                          : std::filesystem::path(agent.spool_dir);
    spool_options_.agent_id = identity;
    spool_options_.key = std::make_shared<const crypto::SigningKey>(std::move(key));
    spool_options_.max_bytes = agent.spool_max_bytes.bytes;
    spool_options_.min_free_bytes = agent.spool_min_free.bytes;
    spool_options_.when_full = when_full(agent, info);
    spool_options_.clock = clock_;
    spool_options_.sync_interval = sync_interval(agent, info);
    for (const std::string& file : agent.log_keys) {
        AMOSKYS_TRY(log_key, crypto::load_public_key(file));
        spool_options_.log_keys.push_back(log_key);
    }
    for (const std::string& bus : agent.bus) {
        AMOSKYS_TRY(endpoint, io::parse_endpoint(bus, 50051));
        client_options_.buses.push_back(endpoint);
        buses_ += (buses_.empty() ? "" : ", ") + bus;
    }
    client_options_.agent_id = identity;
    client_options_.tls = {pki.ca_cert(), pki.agent_cert(identity), pki.agent_key(identity)};
    client_options_.connect_timeout = agent.connect_timeout;
    client_options_.send_rate_events = agent.send_rate;
    client_options_.retry_max = static_cast<unsigned>(agent.retry_max);
    client_options_.ping_after = agent.retry_timeout;
    client_options_.compression = compression(agent);
    client_options_.head_interval = agent.head_interval;
    client_options_.return_after = agent.bus_return;
    return {};
}

Result<Pipeline::Lane> Pipeline::open_lane(const std::string& name) const {
    SpoolOptions spool_options = spool_options_;
    spool_options.lane = name;
    spool_options.folder = spool_root_ / name;
    link::ClientOptions client_options = client_options_;
    client_options.lane = name;
    AMOSKYS_TRY(spool, Spool::open(*io_, std::move(spool_options)));
    Lane lane{name, std::move(spool), nullptr};
    lane.client = std::make_unique<link::Client>(*io_, std::move(client_options), *lane.spool);
    return lane;
}

Result<Spool*> Pipeline::urgent_spool() {
    if (lanes_.size() == 1) {
        const std::string name = lanes_.front().name + "-urgent";
        auto lane = open_lane(name);
        if (!lane)
            return lane.error();
        lanes_.push_back(std::move(*lane));
        if (group_ != nullptr)
            start_client(lanes_.back());
    }
    return lanes_.back().spool.get();
}

void Pipeline::start_client(Lane& lane) {
    io::Task<Result<>> client = lane.client->run();
    group_->spawn("client " + lane.name, std::move(client));
}

std::uint64_t Pipeline::pending() const {
    std::uint64_t out = 0;
    for (const Lane& lane : lanes_)
        out += lane.spool->stats().pending_envelopes;
    return out;
}

io::Task<Result<>> Pipeline::flush_batches() {
    for (;;) {
        for (const Lane& lane : lanes_)
            update_lane_metrics(*metrics_, lane.name, lane.client->stats(), lane.spool->stats());
        const bool waited = co_await io::sleep_for(batch_check_interval);
        if (!waited)
            co_return Result<>();
        const Result<> flushed = co_await emitter_->flush_if_old();
        AMOSKYS_CO_TRY_VOID(flushed);
    }
}

void Pipeline::measure_certificate() const {
    if (const auto certificate = crypto::read_certificate(certificate_file_))
        metrics_->gauge(certificate_metrics().front())
            .set(static_cast<double>(certificate->not_after_ns) / 1e9);
}

Result<> Pipeline::reload_key() {
    AMOSKYS_TRY(key, crypto::SigningKey::load(key_file_));
    log::info(agent_component, "key_read", "envelopes are signed with this key",
              {{"lane", lane()}, {"key_id", key.id()}});
    spool_options_.key = std::make_shared<const crypto::SigningKey>(std::move(key));
    for (const Lane& each : lanes_)
        each.spool->use_key(spool_options_.key);
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
            log::error(agent_component, "key_refused",
                       "the former key stays: " + read.error().message, {{"lane", lane()}});
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
    return make_error(
        ErrorKind::interrupted, "stopped", "stopped before the bus had everything",
        std::to_string(pending()) + " envelopes stay in the spool and are sent by the next run");
}

// The last receipts come when nothing is pending any more.
io::Task<> Pipeline::finish_clients() {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
        io::Task<> finishing = lanes_[i].client->finish(last_receipt_patience);
        co_await std::move(finishing);
    }
}

io::Task<bool> Pipeline::wait_acked_all() {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
        io::Task<bool> waiting = lanes_[i].spool->wait_acked_all(options_.agent->ack_timeout);
        const bool acked = co_await std::move(waiting);
        if (!acked)
            co_return false;
    }
    co_return true;
}

Error Pipeline::not_acknowledged() const {
    std::string why;
    for (const Lane& lane : lanes_)
        if (lane.spool->stats().pending_envelopes > 0 && why.empty())
            why = lane.client->stats().last_error;
    return make_error(
        ErrorKind::unavailable, "not_acknowledged",
        "bus " + buses_ + ": nothing acknowledged for " +
            format_duration(options_.agent->ack_timeout) + (why.empty() ? "" : ": " + why),
        std::to_string(pending()) + " envelopes stay in the spool and are sent by the next run");
}

io::Task<Result<>> Pipeline::collect() {
    const Result<> collected = co_await collector_->run(*thresholds_);
    const bool stopped = co_await io::cancelled();
    if (stopped)
        co_return stop(collected);
    const Result<> flushed = co_await thresholds_->flush();
    if (flushed.has_error())
        co_return flushed;
    if (collected.has_error() && pending() == 0)
        co_return collected;
    io::Task<bool> waiting = wait_acked_all();
    const bool acked = co_await std::move(waiting);
    if (acked) {
        io::Task<> finishing = finish_clients();
        co_await std::move(finishing);
    }
    if (collected.has_error())
        co_return collected;
    if (acked)  // ends the group; run() makes it success
        co_return make_error(ErrorKind::finding, "done", "");
    const bool stopped_waiting = co_await io::cancelled();
    if (stopped_waiting)
        co_return stop(collected);
    co_return not_acknowledged();
}

io::Task<Result<>> Pipeline::run() {
    io::TaskGroup group(*io_);
    group_ = &group;
    for (Lane& each : lanes_)
        start_client(each);
    io::Task<Result<>> batches = flush_batches();
    group.spawn("batches " + lane(), std::move(batches));
    io::Task<Result<>> key = watch_key();
    group.spawn("key " + lane(), std::move(key));
    io::Task<Result<>> collecting = collect();
    group.spawn("collector " + lane(), std::move(collecting));
    Result<> joined = co_await group.join();
    group_ = nullptr;
    if (!joined && joined.error().code == "done")
        joined = Result<>();
    for (const Lane& each : lanes_) {
        const Result<> closed = each.spool->close();
        if (closed)
            continue;
        log::error(agent_component, "spool_close_failed", closed.error().message,
                   {{"lane", each.name}});
        if (joined)
            joined = closed;
    }
    co_return joined;
}

}  // namespace amoskys::module
