#include "modules/tools/inspect/top_view.h"

#include <algorithm>
#include <cmath>

#include "core/base/text.h"

namespace amoskys::modules::inspect {

namespace {

// One digit behind the point: a rate is no more exact.
double rounded(double value) {
    return std::round(value * 10) / 10;
}

double rate(double before, double now, double seconds) {
    return seconds <= 0 || now < before ? 0 : rounded((now - before) / seconds);
}

Json whole(double value) {
    return static_cast<std::uint64_t>(value);
}

Json maybe(const std::optional<double>& value) {
    return value ? Json(rounded(*value)) : Json();
}

std::string text(const Json& value) {
    if (value.is_null())
        return "-";
    if (value.is_string())
        return printable(value.get<std::string>());
    const double number = value.get<double>();
    return number == std::floor(number) && std::abs(number) < 1e15
               ? std::to_string(static_cast<std::int64_t>(number))
               : value.dump();
}

std::string size(const Json& value) {
    return value.is_null() ? "-" : format_size(static_cast<std::uint64_t>(value.get<double>()));
}

std::string cell(std::string value, std::size_t width, bool right) {
    if (value.size() > width)
        return value.substr(0, width);
    const std::string space(width - value.size(), ' ');
    return right ? space + value : value + space;
}

Json lanes_json(const TopSample* before, const TopSample& now, double seconds) {
    Json out = Json::array();
    for (const auto& [name, lane] : now.lanes) {
        const auto slash = name.find('/');
        const auto agent = name.substr(0, slash);
        TopSample::Lane was = lane;
        if (before != nullptr)
            was = before->lanes.contains(name) ? before->lanes.at(name) : TopSample::Lane{};
        Json row = Json::object();
        row["agent"] = agent;
        row["lane"] = slash == std::string::npos ? Json() : Json(name.substr(slash + 1));
        row["envelopes_per_s"] =
            rate(static_cast<double>(was.envelopes), static_cast<double>(lane.envelopes), seconds);
        row["events_per_s"] =
            rate(static_cast<double>(was.events), static_cast<double>(lane.events), seconds);
        row["events"] = lane.events;
        const auto lag = now.lag.find(agent);
        row["lag"] = lag == now.lag.end() ? Json() : whole(lag->second);
        out.push_back(std::move(row));
    }
    for (const auto& [agent, lag] : now.lag) {
        const auto lane = now.lanes.lower_bound(agent + "/");
        if (lane != now.lanes.end() && lane->first.starts_with(agent + "/"))
            continue;
        out.push_back({{"agent", agent},
                       {"lane", Json()},
                       {"envelopes_per_s", Json()},
                       {"events_per_s", Json()},
                       {"events", Json()},
                       {"lag", whole(lag)}});
    }
    const auto busy = [](const Json& row) {
        const auto& value = row["events_per_s"].is_null() ? row["lag"] : row["events_per_s"];
        return value.get<double>();
    };
    std::stable_sort(out.begin(), out.end(),
                     [&](const Json& a, const Json& b) { return busy(a) > busy(b); });
    return out;
}

}  // namespace

Json top_json(const TopSample* before, const TopSample& now) {
    const double seconds =
        before == nullptr ? 0 : static_cast<double>(now.time_ns - before->time_ns) / 1e9;
    const auto& was = before == nullptr ? now : *before;
    Json out = Json::object();
    out["time"] = json::time(now.time_ns);
    out["source"] = now.source;
    out["health"] = now.health;
    out["envelopes_per_s"] = rate(was.envelopes, now.envelopes, seconds);
    out["events_per_s"] = rate(was.events, now.events, seconds);
    out["bytes_per_s"] = rate(was.bytes, now.bytes, seconds);
    out["records"] = whole(now.records);
    out["log_bytes"] = whole(now.log_bytes);
    out["segments"] = whole(now.segments);
    out["damaged"] = whole(now.damaged);
    out["oldest_seconds"] = maybe(now.oldest_seconds);
    out["free_bytes"] = maybe(now.free_bytes);
    out["queue_bytes"] = maybe(now.queue_bytes);
    out["sessions"] = maybe(now.sessions);
    out["ack_p99_ms"] = maybe(now.ack_p99_ms);
    out["agents"] = lanes_json(before, now, seconds);
    out["cursors"] = Json::array();
    for (const auto& [name, lag] : now.cursors)
        out["cursors"].push_back({{"cursor", name}, {"lag", whole(lag)}});
    out["rejected"] = Json::array();
    for (const auto& [reason, count] : now.rejected) {
        const auto earlier = was.rejected.find(reason);
        const double from = earlier == was.rejected.end() ? 0 : earlier->second;
        out["rejected"].push_back({{"reason", reason},
                                   {"per_s", rate(from, count, seconds)},
                                   {"envelopes", whole(count)}});
    }
    out["alerts"] = Json::array();
    for (const auto& alert : now.alerts)
        out["alerts"].push_back({{"time", json::time(alert.time_ns)},
                                 {"severity", alert.severity},
                                 {"device", alert.device},
                                 {"text", alert.text}});
    out["alerts_note"] = now.alerts_note.empty() ? Json() : Json(now.alerts_note);
    return out;
}

std::string top_line(const Json& top) {
    return text(top["time"]) + " " + text(top["events_per_s"]) + " events/s, " +
           text(top["envelopes_per_s"]) + " envelopes/s, " + size(top["bytes_per_s"]) + "/s, log " +
           text(top["records"]) + " records " + size(top["log_bytes"]) + ", " +
           std::to_string(top["agents"].size()) + " lanes, " +
           (top["alerts_note"].is_null() ? std::to_string(top["alerts"].size()) + " alerts, "
                                         : "alerts unknown, ") +
           text(top["health"]) + "\n";
}

std::string top_screen(const Json& top, std::size_t width, std::size_t height) {
    std::vector<std::string> lines;
    lines.push_back("amoskys top - " + text(top["source"]) + " - " + text(top["time"]));
    lines.push_back("health   " + text(top["health"]));
    lines.push_back("rate     " + text(top["events_per_s"]) + " events/s  " +
                    text(top["envelopes_per_s"]) + " envelopes/s  " + size(top["bytes_per_s"]) +
                    "/s  ack p99 " + text(top["ack_p99_ms"]) + " ms  sessions " +
                    text(top["sessions"]));
    lines.push_back("log      " + text(top["records"]) + " records  " + size(top["log_bytes"]) +
                    " in " + text(top["segments"]) + " segments  " + text(top["damaged"]) +
                    " damaged  oldest " + text(top["oldest_seconds"]) + " s  queue " +
                    size(top["queue_bytes"]) + "  disk free " + size(top["free_bytes"]));
    const auto add = [&](const std::string& title, const Json& rows, auto&& line_of) {
        if (rows.empty())
            return;
        lines.emplace_back();
        lines.push_back(title);
        for (const auto& row : rows)
            lines.push_back(line_of(row));
    };
    if (!top["alerts_note"].is_null()) {
        lines.emplace_back();
        lines.push_back("ALERTS are not known: " + text(top["alerts_note"]));
    }
    add("ALERTS", top["alerts"], [](const Json& row) {
        return text(row["time"]) + "  " + cell(text(row["severity"]), 8, false) + "  " +
               cell(text(row["device"]), 24, false) + "  " + text(row["text"]);
    });
    add("CURSOR                              LAG", top["cursors"], [](const Json& row) {
        return cell(text(row["cursor"]), 28, false) + cell(text(row["lag"]), 11, true);
    });
    add("REJECTED                          PER S       TOTAL", top["rejected"],
        [](const Json& row) {
            return cell(text(row["reason"]), 28, false) + cell(text(row["per_s"]), 11, true) +
                   cell(text(row["envelopes"]), 12, true);
        });
    add("AGENT                 LANE           EVENTS/S  ENVELOPES/S        EVENTS         LAG",
        top["agents"], [](const Json& row) {
            return cell(text(row["agent"]), 22, false) + cell(text(row["lane"]), 12, false) +
                   cell(text(row["events_per_s"]), 11, true) +
                   cell(text(row["envelopes_per_s"]), 13, true) +
                   cell(text(row["events"]), 14, true) + cell(text(row["lag"]), 12, true);
        });
    std::string out;
    for (std::size_t i = 0; i < lines.size() && i + 1 < height; ++i)
        out += cell(lines[i], std::min(lines[i].size(), width), false) + "\x1b[K\n";
    return out;
}

}  // namespace amoskys::modules::inspect
