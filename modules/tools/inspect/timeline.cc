// `inspect timeline`: how regularly envelopes came, by their own times.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "core/base/time_zone.h"
#include "core/wire/envelope.h"
#include "core/wire/legacy.h"
#include "modules/tools/inspect/inspect_verbs.h"
#include "modules/tools/inspect/log_access.h"

namespace amoskys::modules::inspect {

namespace {

// What the earlier system called healthy: one envelope a minute, give or take 10 s.
constexpr double interval_ok_min_s = 50;
constexpr double interval_ok_max_s = 70;
constexpr double gap_s = 300;
constexpr double hour_s = 3600;
constexpr std::size_t longest_gaps = 10;
constexpr std::size_t times_max = 64'000'000;  // 512 MiB of times

struct Seen {
    std::vector<UnixNanos> times;
    std::uint64_t bytes = 0;
};

double rounded(double value, int digits) {
    const double scale = std::pow(10.0, digits);
    return std::round(value * scale) / scale;
}

double seconds_between(UnixNanos from, UnixNanos to) {
    return static_cast<double>(to - from) / 1e9;
}

struct Stamp {
    UnixNanos time_ns = 0;
    std::string_view agent, lane;
};

// The time of an envelope; nothing for gap markers, audit records and what cannot be read.
std::optional<Stamp> stamp_of(const wal::RecordView& record) {
    if (record.header.kind == RecordKind::legacy) {
        if (const auto cut = wire::cut_legacy(record.stored, wal::stored_bytes_max))
            return Stamp{cut->event_ns, {}, {}};
        const auto envelope = wire::decode_legacy(record.stored);
        return envelope ? std::optional(Stamp{envelope->ts_ns(), {}, {}}) : std::nullopt;
    }
    if (record.header.kind != RecordKind::universal)
        return std::nullopt;
    if (const auto cut = wire::cut_envelope(record.stored, nullptr, nullptr, wal::stored_bytes_max))
        return Stamp{cut->ts_ns, cut->agent_id, cut->lane};
    return std::nullopt;
}

Result<Seen> read_times(wal::Log& log, module::Progress& progress, const TimelineOptions& options) {
    Seen out;
    Walk step;
    AMOSKYS_TRY(span, parse_span(options.since, options.until));
    step.skip = span;
    const std::uint64_t limit = options.limit == 0 ? times_max : options.limit;
    step.visit = [&](const wal::RecordView& record) {
        const auto stamp = stamp_of(record);
        const bool wanted = stamp && stamp->time_ns >= span.since_ns &&
                            stamp->time_ns < span.until_ns &&
                            (options.agent.empty() || stamp->agent == options.agent) &&
                            (options.lane.empty() || stamp->lane == options.lane);
        if (wanted) {
            out.times.push_back(stamp->time_ns);
            out.bytes += record.stored.size();
        }
        return out.times.size() < limit ? Next::go_on : Next::stop;
    };
    AMOSKYS_TRY_VOID(walk(log, progress, step));
    // By time, as more than one writer's envelopes are mixed in the log.
    std::ranges::sort(out.times);
    return out;
}

Json interval_json(const std::vector<double>& intervals) {
    if (intervals.empty())
        return Json::object();
    std::vector<double> sorted = intervals;
    std::ranges::sort(sorted);
    const auto count = static_cast<double>(sorted.size());
    const double mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / count;
    double squares = 0;
    for (const double each : sorted)
        squares += (each - mean) * (each - mean);
    const std::size_t half = sorted.size() / 2;
    const double median =
        sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    Json out = Json::object();
    out["mean"] = rounded(mean, 3);
    out["median"] = rounded(median, 3);
    out["min"] = rounded(sorted.front(), 3);
    out["max"] = rounded(sorted.back(), 3);
    out["stdev"] = sorted.size() < 2 ? 0.0 : rounded(std::sqrt(squares / (count - 1)), 3);
    return out;
}

Json longest_json(const Seen& seen, const std::vector<double>& intervals) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < intervals.size(); ++i)
        if (intervals[i] > gap_s)
            order.push_back(i);
    std::ranges::stable_sort(
        order, [&](std::size_t a, std::size_t b) { return intervals[a] > intervals[b]; });
    order.resize(std::min(order.size(), longest_gaps));
    Json out = Json::array();
    for (const std::size_t i : order)
        out.push_back({{"from", json::time(seen.times[i])},
                       {"to", json::time(seen.times[i + 1])},
                       {"minutes", rounded(intervals[i] / 60, 1)}});
    return out;
}

Json timeline_json(const Seen& seen, const TimeZone& zone) {
    std::vector<double> intervals;
    for (std::size_t i = 1; i < seen.times.size(); ++i)
        intervals.push_back(seconds_between(seen.times[i - 1], seen.times[i]));
    const auto count = [&intervals](auto fits) {
        return static_cast<std::uint64_t>(std::ranges::count_if(intervals, fits));
    };
    const std::uint64_t ok =
        count([](double s) { return s >= interval_ok_min_s && s <= interval_ok_max_s; });
    std::array<std::uint64_t, 24> hours{};
    for (const UnixNanos time : seen.times)
        ++hours.at(zone.hour(time));
    const double span_hours =
        seen.times.empty() ? 0 : seconds_between(seen.times.front(), seen.times.back()) / hour_s;
    const auto envelopes = static_cast<double>(seen.times.size());
    Json out = Json::object();
    out["envelopes"] = seen.times.size();
    out["bytes"] = seen.bytes;
    out["span_hours"] = rounded(span_hours, 4);
    out["per_hour"] = span_hours > 0 ? Json(rounded(envelopes / span_hours, 2)) : Json();
    out["intervals"] = intervals.size();
    out["intervals_ok"] = ok;
    out["health_percent"] =
        intervals.empty()
            ? Json()
            : Json(rounded(100 * static_cast<double>(ok) / static_cast<double>(intervals.size()),
                           1));
    out["gaps"] = count([](double s) { return s > gap_s; });
    out["hours"] = hours;
    out["tz"] = zone.name();
    out["first"] = seen.times.empty() ? Json() : json::time(seen.times.front());
    out["last"] = seen.times.empty() ? Json() : json::time(seen.times.back());
    out["too_fast"] = count([](double s) { return s < interval_ok_min_s; });
    out["too_slow"] = count([](double s) { return s > interval_ok_max_s; });
    out["interval_seconds"] = interval_json(intervals);
    out["longest_gaps"] = longest_json(seen, intervals);
    return out;
}

}  // namespace

Result<> timeline(module::ToolContext& context) {
    const auto& options = *static_cast<const TimelineOptions*>(context.config.get());
    AMOSKYS_TRY(zone, TimeZone::find(options.tz));
    AMOSKYS_TRY(log, open_any_for_reading(context, options.log));
    module::Progress progress(context.progress, "reading", "records", log->stats().records);
    AMOSKYS_TRY(seen, read_times(*log, progress, options));
    return write_object(context.out, context.output, "timeline", timeline_json(seen, zone));
}

}  // namespace amoskys::modules::inspect
