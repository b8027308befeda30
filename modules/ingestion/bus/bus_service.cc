#include "modules/ingestion/bus/bus_service.h"

#include <sys/resource.h>

#include "core/base/file.h"
#include "core/crypto/pki.h"
#include "core/io/file_watch.h"
#include "core/io/http_server.h"
#include "core/link/record_facts.h"
#include "core/link/server.h"
#include "core/log/log.h"
#include "core/module/confine.h"
#include "core/wal/shared.h"
#include "modules/ingestion/bus/checkpoint_file.h"
#include "modules/ingestion/bus/retention_task.h"

namespace amoskys::ingestion {
namespace {

// Descriptors that are not connections: log, spare segments, listeners, pages, files of a reload.
constexpr std::uint64_t reserved_descriptors = 192;
constexpr std::uint16_t default_port = 50051, default_http_port = 9000;
constexpr std::uint64_t segments_in_retention = 8, smallest_segment_bytes = 16ULL << 20;
constexpr auto smallest_segment_age = std::chrono::seconds(60);

link::Overload overload_mode(const std::string& text) {
    if (text == "on" || text == "true")
        return link::Overload::on;
    return text == "auto" ? link::Overload::automatic : link::Overload::off;
}

// How many connections the process's descriptors allow, after raising their number to the most.
std::uint64_t connections_allowed() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
            ::getrlimit(RLIMIT_NOFILE, &limit);
    }
    const std::uint64_t all = limit.rlim_cur;
    return all > 2 * reserved_descriptors ? all - reserved_descriptors : all / 2;
}

std::uint64_t allowed_sessions(const BusConfig& config) {
    const auto allowed = connections_allowed();
    if (allowed < config.max_sessions)
        log::warning("bus", "few_descriptors",
                     "the limit of open files allows fewer connections than bus.max_sessions",
                     {{"connections", allowed}, {"max_sessions", config.max_sessions}});
    return std::min(allowed, config.max_sessions);
}

link::ServerLimits limits_of(const BusConfig& config) {
    link::ServerLimits out;
    out.max_envelope_bytes = config.max_envelope_bytes.bytes;
    out.soft_window = config.max_inflight;
    out.hard_window = std::max(config.max_inflight, config.hard_max_inflight);
    out.max_sessions = allowed_sessions(config);
    out.max_sessions_per_agent = config.max_sessions_per_agent;
    out.max_unauthenticated = config.max_unauthenticated;
    out.max_unauthenticated_per_address = config.max_unauthenticated_per_address;
    out.handshake = config.handshake_timeout;
    out.first_frame = config.first_frame_timeout;
    out.frame = config.frame_timeout;
    out.ping_after = config.ping_after;
    out.idle = config.idle_timeout;
    out.stalled_write = config.stalled_write_timeout;
    out.drain = config.drain_timeout;
    out.receipt_interval = config.receipt_interval;
    out.overload = overload_mode(config.overload);
    out.min_free_bytes = config.wal_min_free.bytes;
    out.max_subscribers = config.max_subscribers;
    out.slow_reader = config.slow_reader_timeout;
    return out;
}

wal::RetentionPolicy retention_of(const BusConfig& config) {
    return {config.retention_max_age, config.retention_max_bytes.bytes,
            config.retention_max_records};
}

crypto::PkiPaths pki_of(const fs::path& state_dir, const BusConfig& config) {
    return {config.pki_dir.empty() ? state_dir / "pki" : fs::path(config.pki_dir)};
}

std::unique_ptr<io::FileWatch> watch_of(const crypto::PkiPaths& pki) {
    return std::make_unique<io::FileWatch>(std::vector<fs::path>{
        pki.ca_cert(), pki.bus_cert(), pki.bus_key(), pki.log_key(), pki.trust_map()});
}

Result<LogIdentity> log_identity(const crypto::PkiPaths& pki) {
    AMOSKYS_TRY(key, crypto::SigningKey::load(pki.log_key()));
    LogIdentity out;
    out.origin = "amoskys/" + crypto::local_agent_name() + "/" + key.id().substr(0, 8);
    out.key = std::make_shared<const crypto::SigningKey>(std::move(key));
    return out;
}

class BusService final : public module::Service {
  public:
    BusService(const module::ServiceContext& context, std::shared_ptr<const BusConfig> config)
        : io_(context.io),
          clock_(context.clock),
          metrics_(context.metrics),
          state_dir_(context.state_dir),
          host_(context.host),
          config_(std::move(config)) {}

    io::Task<Result<>> run() override;
    Result<> reload(std::shared_ptr<const void> config) override;

  private:
    Result<link::ServerConfig> server_config(const BusConfig& config, std::string origin) const;
    Result<> open_log();
    Result<> start(Json& addresses);
    Result<> start_http(Json& addresses);
    std::map<std::string, io::HttpHandler> pages() const;
    io::Task<Result<>> write_checkpoints();
    void write_last_checkpoint();
    io::Task<Result<>> watch_files();
    Result<> stop(Result<> outcome);

    io::asio::io_context& io_;
    const Clock& clock_;
    metrics::Registry& metrics_;
    const std::filesystem::path state_dir_;
    module::ServiceHost& host_;
    std::shared_ptr<const BusConfig> config_;

    std::unique_ptr<wal::Log> log_;
    std::unique_ptr<wal::AnnouncedLog> announced_;  // readers in this process share the handle
    std::unique_ptr<wal::Writer> writer_;
    std::unique_ptr<link::Server> server_;
    std::vector<std::unique_ptr<io::HttpServer>> http_;
    LogIdentity identity_;
    std::unique_ptr<io::FileWatch> files_;  // of the folder of keys and certificates
    std::unique_ptr<CheckpointFile> checkpoints_;
    std::unique_ptr<RetentionTask> retention_;
    std::unique_ptr<io::DedicatedThread> checkpoint_thread_;  // its files are synced there
};

Result<link::ServerConfig> BusService::server_config(const BusConfig& config,
                                                     std::string origin) const {
    link::ServerConfig out;
    AMOSKYS_TRY(listen, io::parse_endpoint(config.listen, default_port));
    const auto pki = pki_of(state_dir_, config);
    out.listen = std::move(listen);
    out.tls = {pki.ca_cert(), pki.bus_cert(), pki.bus_key()};
    out.trust_map = pki.trust_map();
    out.log_key = pki.log_key();
    out.log_folder = state_dir_ / "wal";
    out.log_origin = std::move(origin);
    out.version = "amoskys " AMOSKYS_VERSION;
    out.limits = limits_of(config);
    return out;
}

Result<> BusService::open_log() {
    wal::Options options;
    // Whole segments go: with a limit they are small enough for it to be kept closely.
    options.segment_max_bytes = config_->wal_segment_max.bytes;
    if (const auto limit = config_->retention_max_bytes.bytes; limit > 0)
        options.segment_max_bytes =
            std::min(options.segment_max_bytes,
                     std::max(smallest_segment_bytes, limit / segments_in_retention));
    options.segment_max_age = config_->wal_segment_max_age;
    if (const auto limit = config_->retention_max_age; limit.count() > 0)
        options.segment_max_age =
            std::min(options.segment_max_age,
                     std::max<Duration>(smallest_segment_age, limit / segments_in_retention));
    options.dedup_max_keys = config_->dedup_keys;
    options.dedup_ttl = config_->dedup_window;
    // The server stops taking envelopes at twice this; here is the last line.
    options.min_free_bytes = config_->wal_min_free.bytes / 2;
    options.clock = &clock_;
    options.facts_of = &link::record_facts;
    AMOSKYS_TRY(log, wal::Log::open(state_dir_ / "wal", options));
    log_ = std::move(log);
    announced_ = std::make_unique<wal::AnnouncedLog>(state_dir_ / "wal", *log_);
    const auto stats = log_->stats();
    log::info("bus", "log_opened", "the log is recovered",
              {{"records", stats.records},
               {"segments", stats.segments},
               {"damaged", stats.damaged_segments}});
    return {};
}

std::map<std::string, io::HttpHandler> BusService::pages() const {
    std::map<std::string, io::HttpHandler> out;
    constexpr auto plain = "text/plain; charset=utf-8";
    out["/livez"] = [](const io::HttpRequest&) { return io::HttpResponse{200, plain, "ok\n"}; };
    const auto ready = [this](const io::HttpRequest&) {
        if (const auto trouble = server_->trouble(); !trouble.empty())
            return io::HttpResponse{503, plain, trouble + "\n"};
        const auto degraded = server_->degradation();
        return io::HttpResponse{200, plain, (degraded.empty() ? "ok" : degraded) + "\n"};
    };
    out["/readyz"] = ready;
    out["/healthz"] = ready;
    out["/security"] = module::security_page;
    if (!config_->http_metrics)
        return out;
    out["/metrics"] = [this](const io::HttpRequest& request) {
        if (request.accept.find("application/openmetrics-text") != std::string::npos)
            return io::HttpResponse{200,
                                    "application/openmetrics-text; version=1.0.0; charset=utf-8",
                                    metrics_.open_metrics_text()};
        return io::HttpResponse{200, "text/plain; version=0.0.4; charset=utf-8",
                                metrics_.prometheus_text()};
    };
    return out;
}

Result<> BusService::start_http(Json& addresses) {
    std::vector<std::string> wanted = config_->http_further_listen;
    if (!config_->http_listen.empty())
        wanted.insert(wanted.begin(), config_->http_listen);
    for (const auto& text : wanted) {
        AMOSKYS_TRY(endpoint, io::parse_endpoint(text, default_http_port));
        auto server = std::make_unique<io::HttpServer>(io_, pages());
        auto address = server->listen(endpoint);
        if (!address && text == BusConfig{}.http_listen) {
            log::warning("bus", "http_unavailable",
                         address.error().message + "; going on without it");
            continue;
        }
        if (!address)
            return address.error();
        if (!addresses.contains("http"))
            addresses["http"] = *address;
        http_.push_back(std::move(server));
    }
    return {};
}

Result<> BusService::start(Json& addresses) {
    AMOSKYS_TRY(identity, log_identity(pki_of(state_dir_, *config_)));
    identity_ = std::move(identity);
    files_ = watch_of(pki_of(state_dir_, *config_));
    AMOSKYS_TRY(config, server_config(*config_, identity_.origin));
    AMOSKYS_TRY_VOID(make_directories(state_dir_, 0700));
    AMOSKYS_TRY_VOID(open_log());
    checkpoints_ = std::make_unique<CheckpointFile>(state_dir_ / "checkpoints", *log_, clock_);
    AMOSKYS_TRY_VOID(checkpoints_->begin(identity_));
    checkpoint_thread_ = std::make_unique<io::DedicatedThread>(io_, "checkpoints", 1);
    writer_ = std::make_unique<wal::Writer>(*log_, config_->wal_queue_max.bytes);
    server_ =
        std::make_unique<link::Server>(io_, clock_, metrics_, *log_, *writer_, std::move(config));
    AMOSKYS_TRY_VOID(server_->prepare());
    retention_ = std::make_unique<RetentionTask>(io_, clock_, *log_, *writer_, *server_);
    retention_->set(retention_of(*config_));
    AMOSKYS_TRY_VOID(start_http(addresses));
    AMOSKYS_TRY(address, server_->listen());
    addresses["listen"] = address;
    return {};
}

io::Task<Result<>> BusService::write_checkpoints() {
    while (true) {
        const bool slept = co_await io::sleep_for(config_->checkpoint_every);
        if (!slept)
            co_return Result<>();
        std::function<Result<>()> write = [this, identity = identity_] {
            return checkpoints_->write(identity);
        };
        auto writing = checkpoint_thread_->run(std::move(write));
        const auto written = co_await std::move(writing);
        if (!written)
            log::warning("bus", "checkpoint_failed",
                         written.error().message + "; the next one is tried in " +
                             format_duration(config_->checkpoint_every));
    }
}

// Certificates, keys and trust map that have changed and then stayed the same for a second are read
// again; what cannot be read leaves all as it was.
void BusService::write_last_checkpoint() {
    checkpoint_thread_.reset();
    if (!checkpoints_)
        return;
    if (const auto written = checkpoints_->write(identity_); !written)
        log::warning("bus", "checkpoint_failed", written.error().message);
    checkpoints_.reset();
}

io::Task<Result<>> BusService::watch_files() {
    while (true) {
        const bool slept = co_await io::sleep_for(config_->watch_interval);
        if (!slept)
            co_return Result<>();
        if (!files_->changed())
            continue;
        const auto done = reload(config_);
        if (done)
            log::info("bus", "files_reloaded", "certificates and trust map have changed");
        else
            log::error(
                "bus", "reload_failed",
                "changed files are not taken, the former state stays: " + done.error().message);
    }
}

Result<> BusService::stop(Result<> outcome) {
    const auto begun = clock_.steady();
    http_.clear();
    retention_.reset();
    server_.reset();
    if (writer_)
        writer_->stop();
    writer_.reset();
    write_last_checkpoint();
    if (announced_)
        announced_->end_readers();
    log_.reset();
    announced_.reset();
    log::info("bus", "stopped", "the log is closed",
              {{"took", format_duration(clock_.steady() - begun)}});
    return outcome;
}

io::Task<Result<>> BusService::run() {
    Json addresses = Json::object();
    const auto started = start(addresses);
    if (!started)
        co_return stop(started.error());
    io::TaskGroup group(io_);
    group.spawn("bus server", server_->run());
    group.spawn("bus checkpoints", write_checkpoints());
    group.spawn("bus files", watch_files());
    group.spawn("bus retention", retention_->run());
    for (const auto& http : http_)
        group.spawn("bus http", http->run());
    log::info("bus", "listening", "the bus serves",
              {{"listen", addresses.value("listen", std::string())},
               {"http", addresses.value("http", std::string())}});
    host_.ready(addresses);
    auto joining = group.join();
    auto outcome = co_await std::move(joining);
    co_return stop(std::move(outcome));
}

Result<> BusService::reload(std::shared_ptr<const void> config) {
    if (!server_)
        return {};
    auto fresh = std::static_pointer_cast<const BusConfig>(std::move(config));
    auto files = watch_of(pki_of(state_dir_, *fresh));  // before they are read
    AMOSKYS_TRY(identity, log_identity(pki_of(state_dir_, *fresh)));
    AMOSKYS_TRY(changed, server_config(*fresh, identity.origin));
    AMOSKYS_TRY_VOID(server_->reload(std::move(changed)));
    identity_ = std::move(identity);
    config_ = std::move(fresh);
    retention_->set(retention_of(*config_));
    files_ = std::move(files);
    return {};
}

}  // namespace

Result<std::unique_ptr<module::Service>> make_bus_service(const module::ServiceContext& context) {
    auto config = std::static_pointer_cast<const BusConfig>(context.config);
    if (auto listen = io::parse_endpoint(config->listen, default_port); !listen)
        return make_error(ErrorKind::config, "config_bad_value",
                          "bus.listen: " + listen.error().message);
    return std::unique_ptr<module::Service>(new BusService(context, std::move(config)));
}

}  // namespace amoskys::ingestion
