#include "modules/tools/dash/answers.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/base/text.h"

namespace amoskys::modules::dash {
namespace {

constexpr std::uint64_t rows_default = 100, rows_max = 1000, points_default = 240,
                        points_max = 2000;
constexpr std::uint64_t one_second_ns = 1'000'000'000;
constexpr std::string_view series_default_since = "-1h", timeline_default_since = "-24h";
constexpr std::array<std::string_view, 7> aggregations{"auto", "mean", "min",  "max",
                                                       "last", "rate", "count"};
constexpr std::size_t note_bytes_max = 1000;
constexpr std::array<std::string_view, 3> labels{"normal", "suspicious", "critical"};
constexpr std::array<std::string_view, 3> statuses{"active", "late", "silent"};

std::string text_of(const Call& call, std::string_view name, std::string_view otherwise = {}) {
    const std::string* found = find(call.request.query, name);
    return found == nullptr || found->empty() ? std::string(otherwise) : *found;
}

Result<std::uint64_t> whole_number(std::string_view text, std::string_view what, std::uint64_t min,
                                   std::uint64_t max) {
    std::uint64_t out = 0;
    const char* const end = text.data() + text.size();
    const auto [at, ec] = std::from_chars(text.data(), end, out);
    if (ec != std::errc() || at != end || out < min || out > max)
        return make_error(ErrorKind::usage, "bad_number",
                          std::string(what) + " '" + excerpt(text) + "' is no whole number from " +
                              std::to_string(min) + " to " + std::to_string(max));
    return out;
}

Result<std::size_t> limit_of(const Call& call) {
    AMOSKYS_TRY(number, whole_number(text_of(call, "limit", std::to_string(rows_default)), "limit",
                                     1, rows_max));
    return static_cast<std::size_t>(number);
}

Result<std::uint64_t> offset_of(const Call& call) {
    return whole_number(*find(call.path, "offset"), "record", 1, UINT64_MAX - 1);
}

Result<std::string> one_of(const Call& call, std::string_view name,
                           std::span<const std::string_view> allowed, std::string_view otherwise) {
    std::string word = text_of(call, name, otherwise);
    if (word.empty() || std::ranges::find(allowed, word) != allowed.end())
        return word;
    std::string list;
    for (const std::string_view each : allowed)
        list += (list.empty() ? "" : ", ") + std::string(each);
    return make_error(ErrorKind::usage, "bad_choice",
                      std::string(name) + " '" + excerpt(word) + "': one of " + list);
}

struct Span {
    UnixNanos since_ns = 0, until_ns = UINT64_MAX;
};
Result<Span> span_of(const Call& call, std::string_view default_since, bool ends_now) {
    Span out;
    if (const std::string text = text_of(call, "since", default_since); !text.empty()) {
        AMOSKYS_TRY(time, parse_time(text, call.now_ns));
        out.since_ns = time;
    }
    if (ends_now)
        out.until_ns = call.now_ns;
    if (const std::string text = text_of(call, "until"); !text.empty()) {
        AMOSKYS_TRY(time, parse_time(text, call.now_ns));
        out.until_ns = time;
    }
    if (out.since_ns >= out.until_ns)
        return make_error(ErrorKind::usage, "time_range", "since is not before until");
    return out;
}

void add_word(const Call& call, std::string_view name, std::vector<std::string>& into) {
    if (std::string text = text_of(call, name); !text.empty())
        into.push_back(std::move(text));
}

Result<Json> rows(const Call& call, std::string_view kind) {
    EventQuery query;
    AMOSKYS_TRY(span, span_of(call, "", false));
    query.filter.since_ns = span.since_ns;
    query.filter.until_ns = span.until_ns;
    AMOSKYS_TRY(limit, limit_of(call));
    query.limit = limit;
    add_word(call, "device", query.filter.devices);
    add_word(call, "metric", query.filter.metrics);
    add_word(call, "source", query.filter.sources);
    add_word(call, "severity", query.filter.severities);
    if (kind.empty())
        add_word(call, "kind", query.filter.kinds);
    else
        query.filter.kinds.emplace_back(kind);
    if (const std::string text = text_of(call, "cursor"); !text.empty()) {
        AMOSKYS_TRY(position, parse_position(text));
        query.before = position;
    }
    return call.source.events(query);
}

// "A-000042" and nothing that a command line could take for an option.
Result<std::string> threat_of(const Call& call) {
    const std::string& id = *find(call.path, "id");
    const bool plain = id.size() > 2 && id.size() < 24 && id.starts_with("A-") &&
                       id.find_first_not_of("0123456789", 2) == std::string::npos;
    if (!plain)
        return make_error(ErrorKind::usage, "bad_id",
                          "'" + excerpt(id) + "' is no id of a threat: A-000042");
    return id;
}

// A text of the body, which is an object of texts; "" where it has no such.
Result<std::string> body_text(const Call& call, std::string_view name) {
    AMOSKYS_TRY(body, json::parse(call.request.body.empty() ? "{}" : call.request.body, "body"));
    const auto at = body.is_object() ? body.find(name) : body.end();
    if (!body.is_object() || (at != body.end() && !at->is_string()))
        return make_error(ErrorKind::usage, "bad_body",
                          "the body is to be an object, its " + std::string(name) + " a text");
    std::string text = at == body.end() ? std::string() : at->get<std::string>();
    if (text.size() > note_bytes_max || printable(text) != text)
        return make_error(ErrorKind::usage, "bad_body",
                          std::string(name) + ": at most " + std::to_string(note_bytes_max) +
                              " bytes on one line");
    return text;
}

Result<Json> change_threat(const Call& call, std::string_view verb) {
    AMOSKYS_TRY(id, threat_of(call));
    AMOSKYS_TRY(note, body_text(call, "note"));
    std::vector<std::string> words = {id};
    if (!note.empty())
        words.push_back("--note=" + note);
    return call.source.change(call.caller.name, "alerts", verb, words);
}

Result<Json> object_of(std::string_view name, Json list) {
    Json out = Json::object();
    out[std::string(name)] = std::move(list);
    return Result<Json>(boost::system::in_place_value, std::move(out));
}

// Rows of a verb under a name of their own: a list at the top cannot grow by a field.
Result<Json> list_of(const Call& call, std::string_view name, std::string_view module,
                     std::string_view verb) {
    AMOSKYS_TRY(list, call.source.ask(module, verb, {}));
    return object_of(name, std::move(list));
}

}  // namespace

Result<Json> health_answer(const Call& call) {
    AMOSKYS_TRY(now, call.source.overview());
    const bool good = now.at("trouble").is_null();
    return Result<Json>(boost::system::in_place_value,
                        Json{{"schema", "amoskys.dash_health/1"},
                             {"status", good ? "healthy" : "degraded"},
                             {"time", now.at("time")}});
}

Result<Json> session_answer(const Call& call) {
    return Result<Json>(boost::system::in_place_value, Json{{"schema", "amoskys.session/1"},
                                                            {"name", call.caller.name},
                                                            {"role", role_name(call.caller.role)}});
}

Result<Json> openapi_answer(const Call&) {
    return Result<Json>(boost::system::in_place_value, openapi_document());
}

Result<Json> stats_answer(const Call& call) {
    return call.source.overview();
}

Result<Json> summary_answer(const Call& call) {
    return call.source.ask("inspect", "summary", {});
}

Result<Json> agents_answer(const Call& call) {
    return list_of(call, "agents", "inspect", "heads");
}

Result<Json> gaps_answer(const Call& call) {
    return list_of(call, "gaps", "inspect", "gaps");
}

// ---- threats ----------------------------------------------------------------------------------

Result<Json> threats_answer(const Call& call) {
    std::vector<std::string> words;
    for (const std::string_view name : {"state", "level", "device"})
        if (const std::string text = text_of(call, name); !text.empty())
            words.push_back("--" + std::string(name) + "=" + text);
    AMOSKYS_TRY(limit, limit_of(call));
    auto all = call.source.ask("alerts", "list", words);
    // An executable that was built without them has none.
    if (!all && all.error().code == "no_module")
        all = Result<Json>(boost::system::in_place_value, Json::array());
    if (!all || !all->is_array())
        return all;
    // The one that happened last comes first; its times are texts that order so.
    std::vector<Json> sorted(all->begin(), all->end());
    std::ranges::stable_sort(sorted, [](const Json& a, const Json& b) {
        return a.value("last", "") > b.value("last", "");
    });
    const std::size_t total = sorted.size();
    if (total > limit)
        sorted.resize(limit);
    Json out = {{"threats", std::move(sorted)}, {"total", total}};
    return Result<Json>(boost::system::in_place_value, std::move(out));
}

Result<Json> threat_answer(const Call& call) {
    AMOSKYS_TRY(id, threat_of(call));
    return call.source.ask("alerts", "show", {id});
}

Result<Json> acknowledge_answer(const Call& call) {
    return change_threat(call, "ack");
}

Result<Json> resolve_answer(const Call& call) {
    return change_threat(call, "resolve");
}

Result<Json> label_answer(const Call& call) {
    AMOSKYS_TRY(id, threat_of(call));
    AMOSKYS_TRY(label, body_text(call, "label"));
    if (std::ranges::find(labels, label) == labels.end())
        return make_error(ErrorKind::usage, "bad_choice",
                          "label '" + excerpt(label) + "': one of normal, suspicious, critical");
    return call.source.change(call.caller.name, "alerts", "label", {id, label});
}

Result<Json> models_answer(const Call& call) {
    return list_of(call, "models", "score", "models");
}

Result<Json> devices_answer(const Call& call) {
    AMOSKYS_TRY(limit, limit_of(call));
    AMOSKYS_TRY(status, one_of(call, "status", statuses, ""));
    return call.source.devices(text_of(call, "q"), status, text_of(call, "cursor"), limit);
}

Result<Json> device_answer(const Call& call) {
    return call.source.device(*find(call.path, "device"));
}

Result<Json> series_answer(const Call& call) {
    SeriesQuery query;
    query.device = text_of(call, "device");
    query.metric = text_of(call, "metric");
    query.index = text_of(call, "index");
    if (query.device.empty() || query.metric.empty())
        return make_error(ErrorKind::usage, "missing_parameter", "device and metric are needed");
    AMOSKYS_TRY(aggregation, one_of(call, "aggregation", aggregations, "auto"));
    query.aggregation = std::move(aggregation);
    AMOSKYS_TRY(span, span_of(call, series_default_since, true));
    query.since_ns = span.since_ns;
    query.until_ns = span.until_ns;
    const std::uint64_t length = span.until_ns - span.since_ns;
    query.step_ns =
        std::max((length / points_default / one_second_ns) * one_second_ns, one_second_ns);
    if (const std::string text = text_of(call, "step"); !text.empty()) {
        AMOSKYS_TRY(step, parse_duration(text));
        query.step_ns = static_cast<std::uint64_t>(std::max<Duration::rep>(step.count(), 0));
    }
    if (query.step_ns == 0 || (length - 1) / query.step_ns >= points_max)
        return make_error(ErrorKind::usage, "too_many_points",
                          "step: since to until is over " + std::to_string(points_max) + " points");
    return call.source.series(query);
}

Result<Json> events_answer(const Call& call) {
    return rows(call, "");
}

Result<Json> processes_answer(const Call& call) {
    return rows(call, "process");
}

Result<Json> flows_answer(const Call& call) {
    return rows(call, "flow");
}

Result<Json> timeline_answer(const Call& call) {
    std::vector<std::string> words = {"--since=" + text_of(call, "since", timeline_default_since)};
    for (const std::string_view name : {"until", "agent", "lane", "tz"})
        if (const std::string text = text_of(call, name); !text.empty())
            words.push_back("--" + std::string(name) + "=" + text);
    return call.source.ask("inspect", "timeline", words);
}

Result<Json> envelope_answer(const Call& call) {
    AMOSKYS_TRY(offset, offset_of(call));
    return call.source.envelope(offset);
}

Result<Json> proof_answer(const Call& call) {
    AMOSKYS_TRY(offset, offset_of(call));
    return call.source.ask("inspect", "prove", {std::to_string(offset)});
}

Result<Json> scores_answer(const Call& call) {
    AMOSKYS_TRY(limit, limit_of(call));
    AMOSKYS_TRY(list, call.source.scores(text_of(call, "device"), limit));
    return object_of("scores", std::move(list));
}

}  // namespace amoskys::modules::dash
