#include "modules/tools/dash/dash_service.h"

#include <sys/resource.h>

#include <algorithm>

#include "core/crypto/pki.h"
#include "core/io/file_watch.h"
#include "modules/tools/dash/log_site.h"

namespace amoskys::modules::dash {
namespace {

constexpr std::uint16_t default_port = 8787;
constexpr auto watch_interval = std::chrono::seconds(2);
constexpr std::uint64_t reserved_descriptors = 128;

// After raising the limit of open files to what is allowed.
std::size_t connections_allowed(std::uint64_t wanted) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const std::uint64_t all = limit.rlim_cur;
    const std::uint64_t free =
        all > 2 * reserved_descriptors ? all - reserved_descriptors : all / 2;
    return std::min<std::uint64_t>(wanted, free);
}

io::TlsFiles tls_files(const DashConfig& config, const std::filesystem::path& state_dir) {
    const crypto::PkiPaths pki{state_dir / "pki"};
    return {config.client_ca,
            config.tls_cert.empty() ? pki.bus_cert() : std::filesystem::path(config.tls_cert),
            config.tls_key.empty() ? pki.bus_key() : std::filesystem::path(config.tls_key)};
}

// Names that the Host header may bear: loopback's, the address's own, those of the certificate.
Result<std::set<std::string>> host_names(const DashConfig& config, const std::string& listen_host,
                                         const io::TlsFiles& files) {
    std::set<std::string> out = {"localhost", "127.0.0.1", "[::1]"};
    const auto add = [&out](std::string name) {
        for (char& c : name)
            c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        const bool v6 = name.find(':') != std::string::npos && !name.starts_with('[');
        out.insert(v6 ? "[" + name + "]" : name);
    };
    add(listen_host);
    for (const std::string& name : config.hosts)
        add(name);
    if (config.tls) {
        AMOSKYS_TRY(certificate, crypto::read_certificate(files.cert));
        for (const std::string& name : certificate.sans)
            add(name);
    }
    return out;
}

Result<Access::Options> access_options(const DashConfig& config, const std::string& listen_host,
                                       const io::TlsFiles& files) {
    Access::Options out;
    AMOSKYS_TRY(hosts, host_names(config, listen_host, files));
    out.hosts = std::move(hosts);
    out.tls = config.tls;
    out.rate = config.rate_limit;
    out.session = config.session;
    AMOSKYS_TRY(open, parse_role(config.open_role));
    out.open_role = open;
    for (const std::string& each : config.clients) {
        const std::size_t equals = each.rfind('=');
        AMOSKYS_TRY(role, parse_role(std::string_view(each).substr(equals + 1)));
        out.clients[each.substr(0, equals)] = role;
    }
    out.authentication = !config.client_ca.empty();
    return out;
}

class DashService final : public module::Service {
  public:
    DashService(const module::ServiceContext& context, std::shared_ptr<const DashConfig> config)
        : context_(context), config_(std::move(config)) {}

    io::Task<Result<>> run() override;
    Result<> reload(std::shared_ptr<const void>) override { return read_files(); }

  private:
    Result<> start(Json& addresses);
    Result<> read_files();
    io::Task<Result<>> watch_files();

    const module::ServiceContext context_;
    const std::shared_ptr<const DashConfig> config_;
    std::unique_ptr<LogSite> site_;
    std::unique_ptr<Server> server_;
    std::unique_ptr<io::FileWatch> files_;
};

// Tokens and certificates; on an error the former ones stay.
Result<> DashService::read_files() {
    AMOSKYS_TRY(tokens, load_tokens(token_file(*config_, context_.state_dir)));
    if (config_->tls) {
        AMOSKYS_TRY(tls, io::make_https_context(tls_files(*config_, context_.state_dir)));
        server_->set_tls(std::move(tls));
    }
    site_->set_tokens(std::move(tokens));
    return {};
}

io::Task<Result<>> DashService::watch_files() {
    while (true) {
        auto sleeping = io::sleep_for(watch_interval);
        const bool slept = co_await std::move(sleeping);
        if (!slept)
            co_return Result<>();
        if (!files_->changed())
            continue;
        if (const Result<> done = read_files(); !done)
            log::error("dash", "reload_failed", "the former state stays: " + done.error().message);
        else
            log::info("dash", "files_reloaded", "tokens and certificates");
    }
}

Result<> DashService::start(Json& addresses) {
    if (!config_->client_ca.empty() && !config_->tls)
        return make_error(ErrorKind::config, "dash_needs_tls",
                          "dash.client_ca: client certificates need dash.tls");
    AMOSKYS_TRY(endpoint, io::parse_endpoint(config_->listen, default_port));
    const std::filesystem::path tokens = token_file(*config_, context_.state_dir);
    AMOSKYS_TRY(known, load_tokens(tokens));
    AMOSKYS_TRY_VOID(check_exposure(*config_, endpoint.host, !known.empty()));
    const io::TlsFiles files = tls_files(*config_, context_.state_dir);
    AMOSKYS_TRY(access, access_options(*config_, endpoint.host, files));
    auto source = std::make_unique<LogSource>(context_.state_dir, *context_.loaded, context_.clock);
    site_ = std::make_unique<LogSite>(context_.io, context_.clock, context_.metrics,
                                      std::move(source), std::move(access), config_->look_back);
    server_ = std::make_unique<Server>(context_.io, *site_,
                                       connections_allowed(config_->max_connections));
    files_ = std::make_unique<io::FileWatch>(
        std::vector<std::filesystem::path>{tokens, files.cert, files.key});
    AMOSKYS_TRY_VOID(read_files());
    AMOSKYS_TRY(address, server_->listen(endpoint));
    addresses["listen"] = address;
    addresses["url"] = (config_->tls ? "https://" : "http://") + address + "/";
    return {};
}

io::Task<Result<>> DashService::run() {
    Json addresses = Json::object();
    if (const Result<> started = start(addresses); !started)
        co_return started.error();
    io::TaskGroup group(context_.io);
    group.spawn("dash server", server_->run());
    group.spawn("dash follow", site_->follow());
    group.spawn("dash files", watch_files());
    log::info("dash", "listening", "the page is served", {{"url", addresses.value("url", "")}});
    context_.host.ready(addresses);
    auto joining = group.join();
    const Result<> outcome = co_await std::move(joining);
    server_.reset();
    site_.reset();  // its threads have ended: nothing reads the log any more
    co_return outcome;
}

}  // namespace

std::filesystem::path token_file(const DashConfig& config, const std::filesystem::path& state_dir) {
    return config.tokens.empty() ? state_dir / "dash-tokens" : std::filesystem::path(config.tokens);
}

Result<std::unique_ptr<module::Service>> make_dash_service(const module::ServiceContext& context) {
    auto config = std::static_pointer_cast<const DashConfig>(context.config);
    if (const auto listen = io::parse_endpoint(config->listen, default_port); !listen)
        return make_error(ErrorKind::config, "config_bad_value",
                          "dash.listen: " + listen.error().message);
    return std::unique_ptr<module::Service>(new DashService(context, std::move(config)));
}

}  // namespace amoskys::modules::dash
