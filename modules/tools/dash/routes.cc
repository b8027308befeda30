#include "modules/tools/dash/routes.h"

#include <algorithm>
#include <array>

#include "core/base/text.h"
#include "modules/tools/dash/answers.h"

namespace amoskys::modules::dash {
namespace {

constexpr Parameter since{"since", "string", "from this time on: RFC 3339, Unix time, -15m, -2h"};
constexpr Parameter until{"until", "string", "before this time"};
constexpr Parameter device{"device", "string", "device id; * and ? match"};
constexpr Parameter one_device{"device", "string", "device id"};
constexpr Parameter limit{"limit", "integer", "at most so many rows: 1 to 1000"};
constexpr Parameter cursor{"cursor", "string", "`next` of the answer before"};

constexpr std::array event_parameters{
    since,
    until,
    device,
    Parameter{"metric", "string", "metric name; * and ? match"},
    Parameter{"kind", "string", "metric, log, alarm, status, security, audit, process, flow, gap"},
    Parameter{"source", "string", "collector: snmp, proc, flow, ..."},
    Parameter{"severity", "string", "INFO, WARN, ERROR, CRITICAL"},
    limit,
    cursor};
constexpr std::array fixed_kind_parameters{since, until, device, limit, cursor};
constexpr std::array device_parameters{Parameter{"q", "string", "part of the name"},
                                       Parameter{"status", "string", "active, late, silent"}, limit,
                                       cursor};
constexpr std::array series_parameters{
    one_device,
    Parameter{"metric", "string", "metric name"},
    Parameter{"index", "string", "row of the device's table; all (at most 16) where absent"},
    since,
    until,
    Parameter{"step", "string", "length of a point: 10s, 5m; at most 2000 points"},
    Parameter{"aggregation", "string",
              "auto (counters: rate, others: mean), mean, min, max, last, rate, count"}};
constexpr std::array timeline_parameters{
    since, until, Parameter{"agent", "string", "only this agent's envelopes"},
    Parameter{"lane", "string", "only this lane's envelopes"},
    Parameter{"tz", "string", "time zone of the hours"}};
constexpr std::array threat_parameters{
    Parameter{"state", "string", "open, acknowledged, resolved"},
    Parameter{"level", "string",
              "this level and above: informational, low, medium, high, critical"},
    device, limit};
constexpr std::array score_parameters{one_device, limit};
constexpr std::span<const Parameter> none;

constexpr std::array table{
    Route{"GET", "/api/v1/health", Role::nobody, "whether the log can be read", "dash_health",
          "amoskys health", none, health_answer},
    Route{"GET", "/api/v1/session", Role::nobody, "who the server takes the caller for", "session",
          "", none, session_answer},
    Route{"POST", "/api/v1/login", Role::nobody, "gives a session cookie for a token", "", "",
          none},
    Route{"POST", "/api/v1/logout", Role::nobody, "ends the session", "", "", none},
    Route{"GET", "/api/v1/openapi.json", Role::nobody, "this document", "", "", none,
          openapi_answer},
    Route{"GET", "/api/v1/stats", Role::viewer, "log, rates and devices of the last hours",
          "overview", "amoskys inspect top --count 1", none, stats_answer},
    Route{"GET", "/api/v1/summary", Role::viewer, "what is in the log", "summary",
          "amoskys inspect summary", none, summary_answer},
    Route{"GET", "/api/v1/agents", Role::viewer, "what agents have signed about their lanes",
          "head", "amoskys inspect heads", none, agents_answer},
    Route{"GET", "/api/v1/devices", Role::viewer, "devices by name", "device", "",
          device_parameters, devices_answer},
    Route{"GET", "/api/v1/devices/{device}", Role::viewer, "one device and its newest values",
          "device", "amoskys inspect events --device DEVICE --newest", none, device_answer},
    Route{"GET", "/api/v1/metrics", Role::viewer, "a metric of a device over time", "series",
          "amoskys inspect events --device DEVICE --metric METRIC", series_parameters,
          series_answer},
    Route{"GET", "/api/v1/events", Role::viewer, "events, newest first", "event",
          "amoskys inspect events --newest", event_parameters, events_answer},
    Route{"GET", "/api/v1/processes", Role::viewer, "process events, newest first", "event",
          "amoskys inspect events --kind process --newest", fixed_kind_parameters,
          processes_answer},
    Route{"GET", "/api/v1/flows", Role::viewer, "flows, newest first", "event",
          "amoskys inspect events --kind flow --newest", fixed_kind_parameters, flows_answer},
    Route{"GET", "/api/v1/timeline", Role::viewer, "how regularly envelopes came", "timeline",
          "amoskys inspect timeline", timeline_parameters, timeline_answer},
    Route{"GET", "/api/v1/gaps", Role::viewer, "what is known to be missing", "gap",
          "amoskys inspect gaps", none, gaps_answer},
    Route{"GET", "/api/v1/envelopes/{offset}", Role::viewer,
          "a record, decoded, its signature and inclusion checked now", "checked_envelope",
          "amoskys inspect events --full --offset N --limit 1", none, envelope_answer},
    Route{"GET", "/api/v1/proofs/{offset}", Role::viewer, "the proof that a record is in the log",
          "proof", "amoskys inspect prove N", none, proof_answer},
    Route{"GET", "/api/v1/scores", Role::viewer, "scored windows, newest first", "score",
          "amoskys score run", score_parameters, scores_answer},
    Route{"GET", "/api/v1/threats", Role::viewer, "alerts, the one that happened last first",
          "alert", "amoskys score alerts list", threat_parameters, threats_answer},
    Route{"GET", "/api/v1/threats/{id}", Role::viewer, "one alert with its evidence", "alert",
          "amoskys score alerts show ID", none, threat_answer},
    Route{"POST", "/api/v1/threats/{id}/ack", Role::analyst,
          "acknowledges an alert; body {\"note\": text}", "alert", "amoskys score alerts ack ID",
          none, acknowledge_answer},
    Route{"POST", "/api/v1/threats/{id}/resolve", Role::analyst,
          "resolves an alert; body {\"note\": text}", "alert", "amoskys score alerts resolve ID",
          none, resolve_answer},
    Route{"POST", "/api/v1/threats/{id}/label", Role::analyst,
          "says what it was; body {\"label\": \"normal\"|\"suspicious\"|\"critical\"}", "alert",
          "amoskys score alerts label ID LABEL", none, label_answer},
    Route{"GET", "/api/v1/models", Role::viewer, "trained models", "model", "amoskys score models",
          none, models_answer},
    Route{"GET", "/api/v1/stream", Role::viewer,
          "server-sent events: overview, events, gap; resumes by Last-Event-ID", "",
          "amoskys inspect tail", none},
};

bool is_variable(std::string_view part) {
    return part.starts_with('{');
}

bool fits(std::string_view pattern, const std::vector<std::string>& given, Pairs& values) {
    const auto wanted = split(pattern.substr(1), '/');
    if (wanted.size() != given.size())
        return false;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (is_variable(wanted[i]))
            values.emplace_back(wanted[i].substr(1, wanted[i].size() - 2), given[i]);
        else if (wanted[i] != given[i])
            return false;
    }
    return true;
}

std::optional<Response> refuse_parameters(const Route& route, const Request& request) {
    std::vector<std::string_view> known;
    for (const Parameter& each : route.parameters)
        known.push_back(each.name);
    for (std::size_t i = 0; i < request.query.size(); ++i) {
        const std::string& name = request.query[i].first;
        if (std::ranges::find(known, name) == known.end()) {
            const std::string_view near = nearest(name, known);
            return problem(
                400, "unknown_parameter", "unknown parameter '" + excerpt(name) + "'",
                near.empty() ? std::string() : "did you mean " + std::string(near) + "?");
        }
        for (std::size_t k = 0; k < i; ++k)
            if (request.query[k].first == name)
                return problem(400, "repeated_parameter", "parameter '" + name + "' stands twice");
    }
    return std::nullopt;
}

Json schema_ref(const char* name) {
    return {{"$ref", std::string("#/components/schemas/") + name}};
}

Json operation_of(const Route& route) {
    Json parameters = Json::array();
    for (const std::string_view part : split(route.path, '/'))
        if (is_variable(part))
            parameters.push_back({{"name", part.substr(1, part.size() - 2)},
                                  {"in", "path"},
                                  {"required", true},
                                  {"schema", {{"type", "string"}}}});
    for (const Parameter& each : route.parameters)
        parameters.push_back({{"name", each.name},
                              {"in", "query"},
                              {"description", each.help},
                              {"schema", {{"type", each.type}}}});
    std::string id(route.method);
    for (const std::string_view part : split(route.path.substr(8), '/'))
        id += "_" + std::string(is_variable(part) ? part.substr(1, part.size() - 2) : part);
    Json out = {{"operationId", id}, {"summary", route.summary}};
    if (!route.command.empty())
        out["x-command"] = route.command;
    out["x-role"] = role_name(route.role);
    if (route.method == "POST")
        out["requestBody"] = {
            {"content", {{"application/json", {{"schema", {{"type", "object"}}}}}}}};
    if (!parameters.empty())
        out["parameters"] = std::move(parameters);
    Json good = {{"description", route.noun.empty() ? std::string("done")
                                                    : "amoskys." + std::string(route.noun) + "/1"}};
    const bool stream = route.path.ends_with("/stream");
    if (!route.noun.empty() || route.answer != nullptr)
        good["content"] = {{"application/json", {{"schema", {{"type", "object"}}}}}};
    if (stream)
        good["content"] = {{"text/event-stream", {{"schema", {{"type", "string"}}}}}};
    const bool empty = route.method == "POST" && route.answer == nullptr;
    out["responses"] = {
        {empty ? "204" : "200", std::move(good)},
        {"default",
         {{"description", "what went wrong (RFC 9457)"},
          {"content", {{"application/problem+json", {{"schema", schema_ref("Problem")}}}}}}}};
    if (route.role != Role::nobody)
        out["security"] = Json::array({{{"token", Json::array()}}, {{"session", Json::array()}}});
    return out;
}

}  // namespace

std::span<const Route> routes() {
    return table;
}

Match find_route(std::string_view method, const std::vector<std::string>& segments) {
    Match out;
    const std::string_view asked = method == "HEAD" ? "GET" : method;
    for (const Route& route : table) {
        Pairs values;
        if (!fits(route.path, segments, values))
            continue;
        if (route.method == asked) {
            out.route = &route;
            out.path = std::move(values);
            return out;
        }
        out.allowed += (out.allowed.empty() ? "" : ", ") + std::string(route.method);
    }
    return out;
}

std::optional<Response> refuse_role(const Route& route, const Caller& caller) {
    if (caller.role >= route.role)
        return std::nullopt;
    if (caller.role == Role::nobody) {
        Response out = problem(401, "not_signed_in", "this needs a token or a client certificate");
        out.headers.emplace_back("WWW-Authenticate", "Bearer");
        return out;
    }
    return problem(403, "role_too_low",
                   "'" + caller.name + "' is " + std::string(role_name(caller.role)) +
                       "; this needs " + std::string(role_name(route.role)));
}

Response answer(const Route& route, const Call& call) {
    if (auto refused = refuse_role(route, call.caller))
        return std::move(*refused);
    if (auto refused = refuse_parameters(route, call.request))
        return std::move(*refused);
    const Result<Json> found = route.answer(call);
    return found ? json_response(call.request, *found) : problem_of(found.error());
}

Json openapi_document() {
    Json paths = Json::object();
    for (const Route& route : table) {
        const std::string method = route.method == "GET" ? "get" : "post";
        paths[std::string(route.path)][method] = operation_of(route);
    }
    const Json text = {{"type", "string"}};
    return {{"openapi", "3.1.0"},
            {"info", {{"title", "amoskys"}, {"version", "1"}}},
            {"paths", std::move(paths)},
            {"components",
             {{"securitySchemes",
               {{"token", {{"type", "http"}, {"scheme", "bearer"}}},
                {"session", {{"type", "apiKey"}, {"in", "cookie"}, {"name", "__Host-amoskys"}}}}},
              {"schemas",
               {{"Problem",
                 {{"type", "object"},
                  {"required", {"type", "title", "status", "code", "detail"}},
                  {"properties",
                   {{"type", text},
                    {"title", text},
                    {"status", {{"type", "integer"}}},
                    {"code", text},
                    {"detail", text},
                    {"hint", text}}}}}}}}}};
}

}  // namespace amoskys::modules::dash
