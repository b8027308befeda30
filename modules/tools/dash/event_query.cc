// Events newest first, and a metric's values over time: the two readings of the log that no verb of
// `inspect` does. Each is bounded in time; what was not reached is said.
#include <algorithm>
#include <cmath>

#include "core/wal/zone.h"
#include "modules/tools/dash/log_source.h"

namespace amoskys::modules::dash {
namespace {

constexpr auto patience = std::chrono::seconds(2);
constexpr std::size_t series_max = 16;
constexpr std::uint64_t step_records = 1024;
constexpr double to_sigma = 1.4826;  // of normal values, from the median deviation

Result<Json> answered(Json json) {
    return {boost::system::in_place_value, std::move(json)};
}

bool plain(std::string_view pattern) {
    return pattern.find_first_of("*?") == std::string_view::npos;
}

wal::Log::Skip skip_of(const wire::EventFilter& filter) {
    wal::Log::Skip out;
    out.since_ns = filter.since_ns;
    out.until_ns = filter.until_ns;
    if (filter.devices.size() == 1 && plain(filter.devices.front()))
        out.device_hash = wal::device_hash(filter.devices.front());
    return out;
}

// Rows [begin, end) of the log that match, oldest first, the last `limit` of them. A first pass
// counts, so that only rows that are wanted are made.
Result<std::vector<std::pair<Position, Json>>> rows_between(wal::Log& log, std::uint64_t begin,
                                                            std::uint64_t end,
                                                            const EventQuery& query,
                                                            std::size_t limit) {
    std::uint64_t matching = 0, seen = 0;
    std::vector<std::pair<Position, Json>> out;
    wire::EventDecoder decoder;
    for (const bool making : {false, true}) {
        const std::uint64_t skipped = matching > limit ? matching - limit : 0;
        const auto visit = [&](const wal::RecordView& record) {
            const std::uint64_t offset = record.header.offset.value;
            if (offset >= end)
                return false;
            std::uint64_t index = 0;
            decoder.decode_record(record.header.kind, record.stored, record.header.digest, offset,
                                  [&](const wire::Event& event) {
                                      const Position at{offset, index++};
                                      if (!(at < query.before) || !query.filter.matches(event))
                                          return true;
                                      if (!making)
                                          ++matching;
                                      else if (seen++ >= skipped)
                                          out.emplace_back(at, event_row(event));
                                      return true;
                                  });
            return true;
        };
        AMOSKYS_TRY_VOID(log.read_matching({begin}, end - begin, skip_of(query.filter), visit));
        if (matching == 0)
            break;
    }
    return out;
}

struct Cell {
    double sum = 0, min = 0, max = 0, last = 0;
    std::uint64_t count = 0;
};
struct Line {
    std::vector<Cell> cells;
    std::vector<std::pair<UnixNanos, double>> samples;  // of counters, for rates
    std::string unit, type;
};

void add_sample(Line& line, std::size_t cell, double sample) {
    Cell& at = line.cells.at(cell);
    at.min = at.count == 0 ? sample : std::min(at.min, sample);
    at.max = at.count == 0 ? sample : std::max(at.max, sample);
    at.sum += sample;
    at.last = sample;
    ++at.count;
}

// A counter's samples become rates of the time between two of them; one that went back began anew.
void make_rates(Line& line, const SeriesQuery& query) {
    std::ranges::sort(line.samples);
    std::ranges::fill(line.cells, Cell());
    for (std::size_t i = 1; i < line.samples.size(); ++i) {
        const auto& [before_ns, before] = line.samples[i - 1];
        const auto& [at_ns, at] = line.samples[i];
        if (at < before || at_ns <= before_ns)
            continue;
        const double seconds = static_cast<double>(at_ns - before_ns) / 1e9;
        add_sample(line, (at_ns - query.since_ns) / query.step_ns, (at - before) / seconds);
    }
}

Json cell_value(const Cell& cell, std::string_view aggregation) {
    if (aggregation == "count")
        return cell.count;
    if (cell.count == 0)
        return {};
    if (aggregation == "min")
        return cell.min;
    if (aggregation == "max")
        return cell.max;
    if (aggregation == "last")
        return cell.last;
    return cell.sum / static_cast<double>(cell.count);
}

// Median of the shown values, three robust deviations to either side.
Json band_of(const Json& values) {
    std::vector<double> sorted;
    for (const Json& each : values)
        if (each.is_number())
            sorted.push_back(each.get<double>());
    constexpr std::size_t enough = 8;
    if (sorted.size() < enough)
        return {};
    const auto median = [](std::vector<double>& of) {
        std::ranges::sort(of);
        const std::size_t middle = of.size() / 2;
        return of.size() % 2 == 1 ? of[middle] : (of[middle - 1] + of[middle]) / 2;
    };
    const double center = median(sorted);
    for (double& each : sorted)
        each = std::fabs(each - center);
    const double spread = 3 * to_sigma * median(sorted);
    return {{"low", center - spread}, {"high", center + spread}};
}

}  // namespace

Result<Json> LogSource::events(const EventQuery& query) {
    AMOSKYS_TRY(log, this->log());
    const wal::LogStats stats = log->stats();
    const auto until = clock_.steady() + patience;
    Json list = Json::array();
    std::uint64_t end = std::min(stats.newest.value, query.before.offset) + 1;
    Position last;
    bool complete = true;
    while (stats.records != 0 && end > stats.oldest.value && list.size() < query.limit) {
        if (clock_.steady() > until) {
            complete = false;
            last = {end, 0};
            break;
        }
        const std::uint64_t begin =
            std::max(stats.oldest.value, wal::zone_first_offset(wal::zone_of(end - 1)));
        AMOSKYS_TRY(rows, rows_between(*log, begin, end, query, query.limit - list.size()));
        for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
            last = row->first;
            list.push_back(std::move(row->second));
        }
        end = begin;
    }
    const bool more = !complete || list.size() == query.limit;
    return answered({{"schema", "amoskys.events/1"},
                     {"events", std::move(list)},
                     {"next", more ? Json(position_text(last)) : Json()},
                     {"complete", complete}});
}

Result<Json> LogSource::series(const SeriesQuery& query) {
    AMOSKYS_TRY(log, this->log());
    wire::EventFilter filter;
    filter.since_ns = query.since_ns;
    filter.until_ns = query.until_ns;
    filter.devices = {query.device};
    filter.metrics = {query.metric};
    filter.kinds = {"metric"};
    const std::size_t cells = (query.until_ns - query.since_ns + query.step_ns - 1) / query.step_ns;
    std::map<std::string, Line> lines;
    std::uint64_t omitted = 0;
    const auto take = [&](const wire::Event& event) {
        const auto* number = std::get_if<double>(&event.value);
        const auto* whole = std::get_if<std::uint64_t>(&event.value);
        const bool wanted = filter.matches(event) && event.device == query.device &&
                            (query.index.empty() || event.index == query.index);
        if (!wanted || (number == nullptr && whole == nullptr))
            return true;
        auto at = lines.find(std::string(event.index));
        if (at == lines.end() && lines.size() == series_max) {
            ++omitted;
            return true;
        }
        if (at == lines.end()) {
            at = lines.emplace(std::string(event.index), Line()).first;
            at->second.cells.resize(cells);
        }
        Line& line = at->second;
        line.unit = event.unit;
        line.type = event.type;
        const double sample = number != nullptr ? *number : static_cast<double>(*whole);
        if (!std::isfinite(sample))
            return true;
        add_sample(line, (event.time_ns - query.since_ns) / query.step_ns, sample);
        line.samples.emplace_back(event.time_ns, sample);
        return true;
    };
    wire::EventDecoder decoder;
    const wal::LogStats stats = log->stats();
    const auto until = clock_.steady() + patience;
    WalOffset at = stats.oldest;
    bool complete = true;
    while (stats.records != 0 && at <= stats.newest && complete) {
        const auto visit = [&](const wal::RecordView& record) {
            decoder.decode_record(record.header.kind, record.stored, record.header.digest,
                                  record.header.offset.value, take);
            return true;
        };
        AMOSKYS_TRY(reached, log->read_matching(at, step_records, skip_of(filter), visit));
        if (reached <= at)
            break;
        at = reached;
        complete = clock_.steady() < until;
    }
    Json list = Json::array();
    std::string unit, type;
    bool rates = query.aggregation == "rate";
    for (auto& [index, line] : lines) {
        rates = rates || (query.aggregation == "auto" && line.type == "COUNTER");
        if (rates)
            make_rates(line, query);
        Json values = Json::array();
        for (const Cell& cell : line.cells)
            values.push_back(cell_value(cell, query.aggregation));
        Json band = band_of(values);
        list.push_back(
            {{"index", index}, {"values", std::move(values)}, {"band", std::move(band)}});
        unit = line.unit;
        type = line.type;
    }
    return answered({{"schema", "amoskys.series/1"},
                     {"device", query.device},
                     {"metric", query.metric},
                     {"type", type},
                     {"unit", unit},
                     {"per_second", rates},
                     {"aggregation", query.aggregation},
                     {"since", json::time(query.since_ns)},
                     {"until", json::time(query.until_ns)},
                     {"step_seconds", static_cast<double>(query.step_ns) / 1e9},
                     {"series", std::move(list)},
                     {"omitted_series", omitted},
                     {"complete", complete}});
}

}  // namespace amoskys::modules::dash
