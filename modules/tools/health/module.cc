// `amoskys health`: the state of a running bus or agent.
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include "core/base/text.h"
#include "core/crypto/pki.h"
#include "core/io/runtime.h"
#include "core/link/client.h"
#include "core/module/host_config.h"
#include "core/module/pipeline.h"

namespace amoskys::modules {
namespace {

using config::option;
using module::ToolContext;
namespace asio = io::asio;

constexpr std::uint16_t bus_port = 50051, http_port = 9000;
constexpr std::size_t max_answer_bytes = 64 * 1024;

struct HealthOptions {
    std::vector<std::string> bus;
    std::string id;
    std::string http;
    bool security = false;
    Duration timeout = std::chrono::seconds(5);
};
constexpr std::array table{
    option<&HealthOptions::bus>("bus", "", "buses to ask, the first that answers (none: agent.bus)",
                                {}, {.check = &io::check_endpoint}),
    option<&HealthOptions::id>("id", "", "identity to ask with (none: agent.id)"),
    option<&HealthOptions::http>("http", "", "ask /readyz at this HOST:PORT instead", {},
                                 {.check = &io::check_endpoint}),
    option<&HealthOptions::security>(
        "security", "",
        "what the process has given up: capabilities, files, system calls (with --http; "
        "exit 10 where a layer is missing)"),
    option<&HealthOptions::timeout>("timeout", "", "longest wait for an answer", {0.1, 300}),
};

std::string lower(std::string text) {
    for (char& c : text)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return text;
}

Result<Json> value(Json json) {
    return {boost::system::in_place_value, std::move(json)};
}

Json empty_answer(const std::string& asked) {
    return {
        {"status", "down"}, {"asked", asked}, {"reason", nullptr}, {"components", Json::object()}};
}

io::Task<> keep(io::Task<Result<Json>> task, Result<Json>* out) {
    *out = co_await std::move(task);
}

// Runs one conversation to its end.
Result<Json> wait_for(asio::io_context& io, io::Task<Result<Json>> task) {
    Result<Json> out =
        make_error(ErrorKind::internal, "health_unfinished", "the question was not finished");
    asio::co_spawn(io, keep(std::move(task), &out), asio::detached);
    io.run();
    return out;
}

// ---- over the bus protocol --------------------------------------------------------------------

io::Task<Result<Json>> ask_bus(link::ClientOptions options, std::string asked) {
    wire::Frame question;
    question.mutable_health_request();
    auto asking = link::call(options, question);
    const auto health = co_await std::move(asking);
    AMOSKYS_CO_TRY_VOID(health);
    wire::Frame second;
    second.mutable_status_request()->set_include_metrics(true);
    second.mutable_status_request()->set_include_device_count(true);
    auto asking_again = link::call(options, second);
    const auto answer = co_await std::move(asking_again);
    AMOSKYS_CO_TRY_VOID(answer);
    if (!health->has_health_answer() || !answer->has_status_answer())
        co_return make_error(ErrorKind::unavailable, "bus_answer",
                             asked + " gave another answer than was asked for");
    Json out = empty_answer(asked);
    std::string reason;
    for (const auto& [name, component] : health->health_answer().component_health()) {
        const std::string state = lower(printable(component.status()));
        out["components"][printable(name)] = {{"status", state},
                                              {"message", printable(component.message())}};
        if (state != "healthy")
            reason += (reason.empty() ? "" : "; ") + name + ": " + printable(component.message());
    }
    const auto& status = answer->status_answer();
    out["status"] = lower(printable(health->health_answer().overall_status()));
    out["reason"] = reason.empty() ? Json() : Json(reason);
    out["version"] = printable(status.service_version());
    out["uptime_seconds"] = status.uptime_seconds();
    out["devices"] = status.connected_devices();
    out["events"] = status.total_events_processed();
    out["events_per_second"] = status.events_per_second();
    out["load"] = status.current_load();
    out["bus_time"] = json::time(health->health_answer().timestamp_ns());
    Json counts = Json::object();
    for (const auto& [name, value] : status.service_metrics())
        counts[printable(name)] = printable(value);
    out["counts"] = std::move(counts);
    co_return value(std::move(out));
}

Result<Json> over_protocol(const ToolContext& context, const HealthOptions& options) {
    const auto agent = context.loaded.get<module::AgentConfig>("agent");
    const crypto::PkiPaths pki{agent->pki_dir.empty() ? context.state_dir / "pki"
                                                      : std::filesystem::path(agent->pki_dir)};
    AMOSKYS_TRY(identity,
                module::choose_identity(pki, options.id.empty() ? agent->id : options.id));
    link::ClientOptions client;
    std::string asked;
    for (const std::string& bus : options.bus.empty() ? agent->bus : options.bus) {
        AMOSKYS_TRY(endpoint, io::parse_endpoint(bus, bus_port));
        asked += (asked.empty() ? "" : ", ") + io::format_endpoint(endpoint.host, endpoint.port);
        client.buses.push_back(std::move(endpoint));
    }
    client.agent_id = identity;
    client.tls = {pki.ca_cert(), pki.agent_cert(identity), pki.agent_key(identity)};
    client.connect_timeout = client.handshake_timeout = client.stalled_write = options.timeout;
    asio::io_context io;
    auto answer = wait_for(io, ask_bus(std::move(client), asked));
    if (answer || answer.error().kind != ErrorKind::unavailable)
        return answer;
    Json down = empty_answer(asked);
    down["reason"] = answer.error().message;
    return value(std::move(down));
}

// ---- over HTTP --------------------------------------------------------------------------------

struct Page {
    bool ok = false;     // status 200
    std::string text;    // printable, of one line
    std::string reason;  // where there was no whole answer
};

io::Task<Page> fetch(asio::io_context& io, io::Endpoint endpoint, std::string path,
                     Duration timeout) {
    Page page;
    asio::ip::tcp::socket socket(io);
    const io::Deadline deadline(io, timeout, [&socket] {
        boost::system::error_code ignored;
        socket.close(ignored);
    });
    auto resolving = io::resolve(endpoint.host);
    const auto addresses = co_await std::move(resolving);
    if (!addresses) {
        page.reason = addresses.error().message;
        co_return page;
    }
    boost::system::error_code ec = asio::error::host_not_found;
    for (const auto& address : *addresses) {
        const asio::ip::tcp::endpoint target(address, endpoint.port);
        boost::system::error_code ignored;
        socket.close(ignored);
        auto [failed] = co_await socket.async_connect(target, io::use_tuple);
        ec = failed;
        if (!ec)
            break;
    }
    const std::string question =
        "GET " + path + " HTTP/1.1\r\nHost: " + endpoint.host + "\r\nConnection: close\r\n\r\n";
    if (!ec) {
        const auto buffer = asio::buffer(question);
        auto [failed, size] = co_await asio::async_write(socket, buffer, io::use_tuple);
        ec = failed;
    }
    std::string answer;
    std::array<char, 4096> piece;
    while (!ec && answer.size() < max_answer_bytes) {
        const auto buffer = asio::buffer(piece);
        auto [failed, size] = co_await socket.async_read_some(buffer, io::use_tuple);
        ec = failed;
        answer.append(piece.data(), size);
    }
    const bool whole = ec == asio::error::eof;
    const std::size_t body = answer.find("\r\n\r\n");
    if (deadline.expired() || !whole || !answer.starts_with("HTTP/1.") ||
        body == std::string::npos) {
        page.reason = deadline.expired() ? "no answer in " + format_duration(timeout)
                      : whole            ? "that is no HTTP answer"
                                         : ec.message();
        co_return page;
    }
    page.ok = answer.substr(8, 4) == " 200";
    page.text = printable(trim(std::string_view(answer).substr(body + 4)));
    co_return page;
}

io::Task<Result<Json>> ask_ready(asio::io_context& io, io::Endpoint endpoint, Duration timeout) {
    Json out =
        empty_answer("http://" + io::format_endpoint(endpoint.host, endpoint.port) + "/readyz");
    auto asking = fetch(io, std::move(endpoint), "/readyz", timeout);
    const Page page = co_await std::move(asking);
    if (!page.reason.empty()) {
        out["reason"] = page.reason;
        co_return value(std::move(out));
    }
    const bool healthy = page.ok && !page.text.starts_with("degraded");
    out["status"] = healthy ? "healthy" : "degraded";
    out["reason"] = healthy ? Json() : Json(page.text);
    co_return value(std::move(out));
}

io::Task<Result<Json>> ask_security(asio::io_context& io, io::Endpoint endpoint, Duration timeout) {
    const std::string asked =
        "http://" + io::format_endpoint(endpoint.host, endpoint.port) + "/security";
    auto asking = fetch(io, std::move(endpoint), "/security", timeout);
    const Page page = co_await std::move(asking);
    if (!page.reason.empty())
        co_return make_error(ErrorKind::unavailable, "bus_down", asked + ": " + page.reason);
    auto parsed = json::parse(page.text, asked);
    if (!page.ok || !parsed || !parsed->is_object())
        co_return make_error(ErrorKind::bad_data, "security_page",
                             asked + " gave no such page: " + page.text.substr(0, 80));
    co_return value(std::move(*parsed));
}

Result<Json> over_http(const HealthOptions& options) {
    AMOSKYS_TRY(endpoint, io::parse_endpoint(options.http, http_port));
    asio::io_context io;
    return wait_for(io, ask_ready(io, std::move(endpoint), options.timeout));
}

Result<> security(ToolContext& context, const HealthOptions& options) {
    if (options.http.empty())
        return make_error(ErrorKind::usage, "usage",
                          "--security needs --http HOST:PORT of the process");
    AMOSKYS_TRY(endpoint, io::parse_endpoint(options.http, http_port));
    asio::io_context io;
    AMOSKYS_TRY(answer, wait_for(io, ask_security(io, std::move(endpoint), options.timeout)));
    if (!context.quiet)
        AMOSKYS_TRY_VOID(write_object(context.out, context.output, "security", answer));
    const bool sandboxed = answer.value("no_new_privileges", false) &&
                           answer.value("missing", Json()) == Json::array();
    if (sandboxed)
        return {};
    return make_error(ErrorKind::finding, "not_sandboxed",
                      options.http + ": a layer of the sandbox is missing or switched off");
}

Result<> health(ToolContext& context) {
    const auto& options = *static_cast<const HealthOptions*>(context.config.get());
    if (options.security)
        return security(context, options);
    AMOSKYS_TRY(answer,
                options.http.empty() ? over_protocol(context, options) : over_http(options));
    if (!context.quiet)
        AMOSKYS_TRY_VOID(write_object(context.out, context.output, "health", answer));
    const auto status = answer.at("status").get<std::string>();
    if (status == "healthy")
        return {};
    const bool down = status == "down";
    return make_error(down ? ErrorKind::unavailable : ErrorKind::finding,
                      down ? "bus_down" : "bus_degraded",
                      answer.at("asked").get<std::string>() + ": " + status + ": " +
                          (answer.at("reason").is_string() ? answer.at("reason").get<std::string>()
                                                           : "no reason given"));
}

constexpr std::array verb_table{
    module::Verb{"", "asks a running bus how it is; exit 0 healthy, 10 degraded, 69 down", table,
                 config::make_config<HealthOptions>, health,
                 "amoskys health -o json\namoskys health --bus bus.example:50051\n"
                 "amoskys health --http 127.0.0.1:9000 --quiet\n"
                 "amoskys health --http 127.0.0.1:9000 --security"},
};

}  // namespace

extern const module::ModuleInfo health_module;
constinit const module::ModuleInfo health_module{
    .name = "health",
    .kind = module::Kind::tool,
    .summary = "asks a running bus or agent how it is",
    .details =
        "Over the bus protocol with the identity of this state directory, or with --http "
        "over /readyz of a bus, an agent or `up`, without keys.",
    .verbs = verb_table,
};

}  // namespace amoskys::modules
