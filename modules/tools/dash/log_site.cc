#include <algorithm>

#include "core/base/text.h"
#include "core/crypto/hash.h"
#include "modules/tools/dash/assets.h"
#include "modules/tools/dash/log_site.h"

namespace amoskys::modules::dash {
namespace {

constexpr std::size_t questions_max = 128, streams_max = 1024;
constexpr auto tick_interval = std::chrono::seconds(1);
constexpr auto step_time = std::chrono::milliseconds(200);
constexpr std::uint64_t records_at_once = 256;
constexpr std::size_t boot_digits = 8;

constexpr std::array<metrics::MetricInfo, 5> metric_table{{
    {"amoskys_dash_requests_total", metrics::Kind::counter, "requests",
     "requests answered, by status", "status"},
    {"amoskys_dash_denied_total", metrics::Kind::counter, "requests",
     "requests refused before they were answered, by reason", "reason"},
    {"amoskys_dash_connections", metrics::Kind::gauge, "connections", "open connections"},
    {"amoskys_dash_connections_refused_total", metrics::Kind::counter, "connections",
     "connections closed because there were dash.max_connections"},
    {"amoskys_dash_streams", metrics::Kind::gauge, "streams", "browsers that follow the stream"},
}};

std::string new_boot() {
    std::array<std::uint8_t, boot_digits / 2> bytes;
    crypto::random_bytes(bytes);
    return to_hex(bytes);
}

bool reads_only(const Request& request) {
    return request.method == "GET" || request.method == "HEAD";
}

std::string code_of(const Response& response) {
    const auto body = json::parse(response.body, "problem");
    return body && body->is_object() ? body->value("code", "other") : "other";
}

}  // namespace

std::span<const metrics::MetricInfo> dash_metrics() {
    return metric_table;
}

struct LogSite::Tick {
    bool behind = false;
    std::string trouble;
    std::string overview;
    std::string alerts;
    Board::Feed feed;
};

struct LogSite::Question {
    Request request;
    Caller caller;
    Match match;
    Response response;
};

LogSite::LogSite(io::asio::io_context& io, const Clock& clock, metrics::Registry& metrics,
                 std::unique_ptr<LogSource> source, Access::Options access, Duration look_back)
    : io_(io),
      clock_(clock),
      metrics_(metrics),
      source_(std::move(source)),
      access_(std::move(access)),
      look_back_(look_back),
      boot_(new_boot()) {
    for (auto& each : askers_)
        each = std::make_unique<io::DedicatedThread>(io_, "dash", questions_max);
    follower_ = std::make_unique<io::DedicatedThread>(io_, "dash follow", 1);
}

LogSite::~LogSite() = default;

// ---- requests ---------------------------------------------------------------------------------

Response LogSite::denied(const Request& request, const Caller& caller, Response response) {
    const std::string code = code_of(response);
    metrics_.counter(metric_table[1], code).add();
    if (log::allow("dash denied " + code))
        log::warning("dash", "denied", "a request was refused",
                     {{"reason", code},
                      {"status", std::uint64_t{response.status}},
                      {"peer", request.peer},
                      {"who", caller.name},
                      {"method", excerpt(request.method)},
                      {"path", excerpt(request.path)}});
    return response;
}

io::Task<Response> LogSite::respond(Request request) {
    const Steady now = clock_.steady();
    Response out;
    const Match match = find_route(request.method, request.segments);
    const EmbeddedFile* asset = find_asset(request.path);
    if (auto refused = access_.refuse(request, now)) {
        out = denied(request, {}, std::move(*refused));
    } else if (request.path.empty()) {
        out = problem(400, "bad_target", "the request's target is malformed");
    } else if (asset != nullptr && reads_only(request)) {
        out = asset_response(request, *asset);
    } else if (match.route == nullptr && (asset != nullptr || !match.allowed.empty())) {
        const std::string allowed = asset != nullptr ? "GET" : match.allowed;
        out = problem(405, "method_not_allowed", "allowed: " + allowed);
        out.headers.emplace_back("Allow", allowed);
    } else if (match.route == nullptr) {
        out = problem(404, "not_found", "there is nothing at " + excerpt(request.path),
                      "/api/v1/openapi.json lists what there is");
    } else {
        const Caller caller = access_.who(request, now);
        if (auto too_low = refuse_role(*match.route, caller)) {
            out = denied(request, caller, std::move(*too_low));
        } else if (request.path == "/api/v1/login") {
            out = access_.login(request, now);
            if (out.status != 204)
                out = denied(request, caller, std::move(out));
        } else if (request.path == "/api/v1/logout") {
            out = access_.logout(request);
        } else if (match.route->answer == nullptr) {
            out.stream = request.method == "GET" && browsers_.size() < streams_max;
            if (!out.stream)
                out = problem(503, "too_many_streams", "1,024 streams are open");
        } else {
            auto asking = ask(request, caller, match);
            out = co_await std::move(asking);
        }
    }
    metrics_.counter(metric_table[0], std::to_string(out.status)).add();
    co_return out;
}

io::Task<Response> LogSite::ask(Request request, Caller caller, Match match) {
    const auto question = std::make_shared<Question>();
    question->request = std::move(request);
    question->caller = std::move(caller);
    question->match = std::move(match);
    std::function<Result<>()> work = [this, question] {
        question->response = answer(
            *question->match.route,
            {question->request, question->caller, question->match.path, *source_, clock_.now_ns()});
        return Result<>();
    };
    turn_ = (turn_ + 1) % askers_.size();
    auto asking = askers_.at(turn_)->run(std::move(work));
    const Result<> done = co_await std::move(asking);
    if (!done)
        co_return problem_of(done.error());
    co_return std::move(question->response);
}

void LogSite::connections(std::size_t open, bool refused) {
    metrics_.gauge(metric_table[2]).set(static_cast<double>(open));
    if (refused)
        metrics_.counter(metric_table[3]).add();
}

// ---- the stream -------------------------------------------------------------------------------

bool LogSite::may_stream(const Request& request) {
    return access_.who(request, clock_.steady()).role >= Role::viewer;
}

std::shared_ptr<Browser> LogSite::open_stream(const Request& request) {
    auto browser = std::make_shared<Browser>(io_);
    const auto at = parse_feed_position(request.last_event_id, boot_);
    if (overview_ != nullptr)
        browser->queue.push(overview_);
    // What a browser missed: of this process's feed it is known, of an earlier one's it is not.
    if (!request.last_event_id.empty()) {
        const Board::Feed missed = source_->board().feed_after(at.value_or(published_));
        const bool known = at.has_value();
        if (!known || missed.lost != 0)
            browser->queue.push(std::make_shared<const std::string>(sse_message(
                "gap", "", known ? "{\"events\":" + std::to_string(missed.lost) + "}" : "{}")));
        for (const FeedEntry& entry : missed.entries)
            if (entry.id <= published_)
                browser->queue.push(std::make_shared<const std::string>(
                    sse_message("events", feed_position(boot_, entry.id), "[" + entry.json + "]")));
    }
    browsers_.insert(browser);
    return browser;
}

void LogSite::push_to_all(std::string message) {
    const auto shared = std::make_shared<const std::string>(std::move(message));
    for (auto at = browsers_.begin(); at != browsers_.end();) {
        if (const auto browser = at->lock()) {
            browser->queue.push(shared);
            browser->wake.notify();
            ++at;
        } else {
            at = browsers_.erase(at);
        }
    }
    metrics_.gauge(metric_table[4]).set(static_cast<double>(browsers_.size()));
}

void LogSite::publish(const Tick& tick) {
    overview_ = std::make_shared<const std::string>(sse_message("overview", "", tick.overview));
    push_to_all(*overview_);
    if (tick.alerts != alerts_) {
        alerts_ = tick.alerts;
        source_->forget();
        push_to_all(sse_message("alerts", "", "{}"));
    }
    if (tick.feed.lost != 0 && published_ != 0)
        push_to_all(sse_message("gap", "", "{\"events\":" + std::to_string(tick.feed.lost) + "}"));
    if (tick.feed.newest == published_)
        return;
    std::string rows;
    for (const FeedEntry& entry : tick.feed.entries)
        rows += (rows.empty() ? "" : ",") + entry.json;
    published_ = tick.feed.newest;
    push_to_all(sse_message("events", feed_position(boot_, published_), "[" + rows + "]"));
}

// ---- following the log ------------------------------------------------------------------------

Result<> LogSite::read_on(Tick& tick) {
    AMOSKYS_TRY(log, source_->log());
    const Steady until = clock_.steady() + step_time;
    const UnixNanos now_ns = clock_.now_ns();
    const auto back_ns = static_cast<UnixNanos>(look_back_.count());
    next_ = std::max(next_, log->stats().oldest);
    wal::Log::Skip skip;
    skip.since_ns = now_ns > back_ns ? now_ns - back_ns : 0;
    while (true) {
        AMOSKYS_TRY(reached, log->read_matching(next_, records_at_once, skip,
                                                [&](const wal::RecordView& record) {
                                                    source_->board().add(record);
                                                    return true;
                                                }));
        if (reached <= next_)
            return {};
        next_ = reached;
        tick.behind = clock_.steady() > until;
        if (tick.behind)
            return {};
    }
}

io::Task<Result<>> LogSite::follow() {
    while (true) {
        const auto tick = std::make_shared<Tick>();
        std::function<Result<>()> work = [this, tick]() -> Result<> {
            if (const Result<> done = read_on(*tick); !done)
                tick->trouble = done.error().message;
            AMOSKYS_TRY(now, source_->overview());
            now["behind"] = tick->behind;
            if (!tick->trouble.empty())
                now["trouble"] = tick->trouble;
            tick->overview = json::dump(now);
            tick->alerts = source_->alerts_stamp();
            tick->feed = source_->board().feed_after(published_);
            return {};
        };
        auto reading = follower_->run(std::move(work));
        const Result<> done = co_await std::move(reading);
        if (!done)
            log::warning("dash", "follow_failed", done.error().message);
        else
            publish(*tick);
        auto sleeping = io::sleep_for(tick->behind ? Duration(0) : Duration(tick_interval));
        const bool slept = co_await std::move(sleeping);
        if (!slept)
            co_return Result<>();
    }
}

}  // namespace amoskys::modules::dash
