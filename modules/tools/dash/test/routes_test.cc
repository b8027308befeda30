#include "modules/tools/dash/routes.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <set>

#include "core/base/file.h"
#include "core/base/text.h"
#include "modules/tools/dash/test/fake_source.h"
#include "modules/tools/dash/test/no_modules.h"

using namespace amoskys;
using namespace amoskys::modules::dash;
using amoskys::modules::dash::test::FakeSource;

namespace {

constexpr UnixNanos now_ns = 1'764'547'200'000'000'000;

struct Asked {
    Response response;
    std::vector<std::string> questions;
    FakeSource source;
};

Asked ask(const std::string& target, Role role = Role::viewer,
          std::optional<Error> failure = std::nullopt, const std::string& method = "GET",
          const std::string& body = {}) {
    Asked out;
    out.source.failure = std::move(failure);
    Request request;
    request.method = method;
    request.body = body;
    REQUIRE(parse_target(target, request).has_value());
    const Match match = find_route(method, request.segments);
    REQUIRE(match.route != nullptr);
    const Caller caller{"someone", role};
    out.response = answer(*match.route, {request, caller, match.path, out.source, now_ns});
    out.questions = out.source.asked;
    return out;
}

std::string code_of(const Asked& asked) {
    const auto body = json::parse(asked.response.body, "body");
    REQUIRE(body.has_value());
    return body->at("code");
}

std::string example_of(const Route& route) {
    std::string path(route.path);
    for (const auto& [name, value] :
         Pairs{{"{offset}", "17"}, {"{device}", "router-1"}, {"{id}", "A-000042"}})
        if (const auto at = path.find(name); at != std::string::npos)
            path.replace(at, name.size(), value);
    return path;
}

}  // namespace

TEST_CASE("every route asks for its role, and no lower one gets an answer") {
    std::set<std::string> seen;
    for (const Route& route : routes()) {
        INFO(route.method << " " << route.path);
        CHECK(seen.insert(std::string(route.method) + std::string(route.path)).second);
        for (const Role role : {Role::nobody, Role::viewer, Role::analyst, Role::admin}) {
            const auto refused = refuse_role(route, {"someone", role});
            CHECK(refused.has_value() == (role < route.role));
            if (refused)
                CHECK(refused->status == (role == Role::nobody ? 401 : 403));
        }
        // Only these are answered for somebody unknown.
        const bool open = route.path == "/api/v1/health" || route.path == "/api/v1/session" ||
                          route.path == "/api/v1/login" || route.path == "/api/v1/logout" ||
                          route.path == "/api/v1/openapi.json";
        CHECK((route.role == Role::nobody) == open);
        if (route.answer == nullptr)
            continue;
        const std::string method(route.method);
        const Asked nobody = ask(example_of(route), Role::nobody, std::nullopt, method);
        CHECK(nobody.response.status == (open ? 200U : 401U));
        if (!open)
            CHECK(nobody.questions.empty());
    }
}

TEST_CASE("each route asks the source for what its command line prints") {
    const auto question = [](const std::string& target) {
        const Asked asked = ask(target);
        INFO(target << " " << asked.response.body);
        CHECK(asked.response.status == 200);
        REQUIRE(asked.questions.size() == 1);
        return asked.questions.front();
    };
    CHECK(question("/api/v1/summary") == "inspect summary");
    CHECK(question("/api/v1/agents") == "inspect heads");
    CHECK(question("/api/v1/gaps") == "inspect gaps");
    CHECK(question("/api/v1/models") == "score models");
    CHECK(question("/api/v1/timeline") == "inspect timeline --since=-24h");
    CHECK(question("/api/v1/timeline?since=-1h&lane=proc&tz=UTC") ==
          "inspect timeline --since=-1h --lane=proc --tz=UTC");
    CHECK(question("/api/v1/proofs/17") == "inspect prove 17");
    CHECK(question("/api/v1/envelopes/17") == "envelope 17");
    CHECK(question("/api/v1/devices?q=rou&status=late&limit=5&cursor=a") == "devices rou/late/a/5");
    CHECK(question("/api/v1/devices/rack%2F7") == "device rack/7");
    CHECK(question("/api/v1/scores?device=a&limit=3") == "scores a 3");
    CHECK(question("/api/v1/stats") == "overview");
    CHECK(question("/api/v1/health") == "overview");
    CHECK(question("/api/v1/metrics?device=a&metric=m") == "series a m");
    CHECK(question("/api/v1/events") == "events");
}

TEST_CASE("a threat is changed by the verb that a person would use, and by no other words") {
    const auto change = [](const std::string& target, const std::string& body,
                           Role role = Role::analyst) {
        return ask("/api/v1/threats/" + target, role, std::nullopt, "POST", body);
    };
    CHECK(change("A-000042/ack", "").questions.front() == "someone: alerts ack A-000042");
    CHECK(change("A-42/resolve", R"({"note":"--x planned"})").questions.front() ==
          "someone: alerts resolve A-42 --note=--x planned");
    CHECK(change("A-42/label", R"({"label":"normal"})").questions.front() ==
          "someone: alerts label A-42 normal");
    CHECK(code_of(change("A-42/label", R"({"label":"--help"})")) == "bad_choice");
    CHECK(code_of(change("A-42/label", "{}")) == "bad_choice");
    CHECK(code_of(change("--all/ack", "")) == "bad_id");
    CHECK(code_of(change("A-1x/ack", "")) == "bad_id");
    CHECK(code_of(change("A-1/ack", "[]")) == "bad_body");
    CHECK(code_of(change("A-1/ack", R"({"note":1})")) == "bad_body");
    CHECK(code_of(change("A-1/ack", R"({"note":"a\nb"})")) == "bad_body");
    CHECK(change("A-1/ack", "{").response.status == 400);
    const Asked viewer = change("A-1/ack", "", Role::viewer);
    CHECK(viewer.response.status == 403);
    CHECK(viewer.questions.empty());
    CHECK(ask("/api/v1/threats?state=open&level=high").questions.front() ==
          "alerts list --state=open --level=high");
    const auto without = ask("/api/v1/threats", Role::viewer,
                             make_error(ErrorKind::unavailable, "no_module", "built without"));
    CHECK(without.response.status == 200);
    CHECK(json::parse(without.response.body, "body")->at("total") == 0);
    CHECK(ask("/api/v1/threats/A-42").questions.front() == "alerts show A-42");
}

TEST_CASE("filters and cursors of events reach the source") {
    const Asked asked =
        ask("/api/v1/events?device=a&metric=m*&kind=metric&source=snmp&severity=WARN&limit=7&"
            "since=-1h&cursor=12.3");
    const EventQuery& query = asked.source.last_events;
    CHECK(query.limit == 7);
    CHECK(query.before == Position{12, 3});
    CHECK(query.filter.devices == std::vector<std::string>{"a"});
    CHECK(query.filter.metrics == std::vector<std::string>{"m*"});
    CHECK(query.filter.kinds == std::vector<std::string>{"metric"});
    CHECK(query.filter.severities == std::vector<std::string>{"WARN"});
    CHECK(query.filter.since_ns == now_ns - 3'600'000'000'000);
    CHECK(ask("/api/v1/flows").source.last_events.filter.kinds == std::vector<std::string>{"flow"});
    CHECK(ask("/api/v1/processes").source.last_events.filter.kinds ==
          std::vector<std::string>{"process"});
}

TEST_CASE("a metric's range and step are bounded") {
    const SeriesQuery hour = ask("/api/v1/metrics?device=a&metric=m").source.last_series;
    CHECK(hour.until_ns == now_ns);
    CHECK(hour.step_ns == 15'000'000'000);
    const SeriesQuery day =
        ask("/api/v1/metrics?device=a&metric=m&since=-24h&step=5m&aggregation=max")
            .source.last_series;
    CHECK(day.step_ns == 300'000'000'000);
    CHECK(day.aggregation == "max");
    CHECK(code_of(ask("/api/v1/metrics?device=a&metric=m&since=-7d&step=1s")) == "too_many_points");
    CHECK(code_of(ask("/api/v1/metrics?device=a&metric=m&step=0")) == "too_many_points");
    CHECK(code_of(ask("/api/v1/metrics?device=a")) == "missing_parameter");
    CHECK(code_of(ask("/api/v1/metrics?device=a&metric=m&aggregation=sum")) == "bad_choice");
    CHECK(code_of(ask("/api/v1/metrics?device=a&metric=m&since=2026-01-02&until=2026-01-01")) ==
          "time_range");
}

TEST_CASE("parameters that are unknown, repeated or out of range are one clear problem") {
    const Asked asked = ask("/api/v1/events?limt=5");
    CHECK(asked.response.status == 400);
    CHECK(asked.response.content_type == "application/problem+json");
    CHECK(code_of(asked) == "unknown_parameter");
    CHECK(asked.response.body.find("did you mean limit?") != std::string::npos);
    CHECK(asked.questions.empty());
    CHECK(code_of(ask("/api/v1/events?limit=5&limit=6")) == "repeated_parameter");
    for (const char* bad : {"0", "1001", "-1", "x", "1e3", "99999999999999999999"})
        CHECK(code_of(ask("/api/v1/events?limit=" + std::string(bad))) == "bad_number");
    CHECK(code_of(ask("/api/v1/events?cursor=1")) == "bad_cursor");
    CHECK(code_of(ask("/api/v1/devices?status=gone")) == "bad_choice");
    CHECK(code_of(ask("/api/v1/envelopes/0")) == "bad_number");
    CHECK(ask("/api/v1/events?since=yesterday").response.status == 400);
}

TEST_CASE("what the source says becomes a status") {
    const auto status = [](ErrorKind kind) {
        return ask("/api/v1/summary", Role::viewer, make_error(kind, "code", "why"))
            .response.status;
    };
    CHECK(status(ErrorKind::no_input) == 404);
    CHECK(status(ErrorKind::usage) == 400);
    CHECK(status(ErrorKind::unavailable) == 503);
    CHECK(status(ErrorKind::internal) == 500);
}

TEST_CASE("a path with another method says which ones it has") {
    const Match match = find_route("DELETE", {"api", "v1", "events"});
    CHECK(match.route == nullptr);
    CHECK(match.allowed == "GET");
    CHECK(find_route("GET", {"api", "v1", "nothing"}).allowed.empty());
    CHECK(find_route("HEAD", {"api", "v1", "events"}).route != nullptr);
}

TEST_CASE("the OpenAPI document is the one that is kept, and has every route") {
    const Json document = openapi_document();
    for (const Route& route : routes())
        CHECK(document["paths"].contains(std::string(route.path)));
    const std::string text = json::dump_pretty(document) + "\n";
    const fs::path kept =
        fs::path(AMOSKYS_SOURCE_DIR) / "modules/tools/dash/test/golden/openapi.json";
    if (std::getenv("AMOSKYS_UPDATE_GOLDEN") != nullptr)
        REQUIRE(write_file_atomic(kept, text, 0644).has_value());
    const auto golden = read_file(kept, 1 << 20);
    REQUIRE(golden.has_value());
    CHECK(text == *golden);
}
