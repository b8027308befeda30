// `inspect summary`: what is in the log, as one object.
#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>

#include "core/wal/record.h"
#include "core/wire/envelope.h"
#include "core/wire/event.h"
#include "core/wire/state_codec.h"
#include "modules/tools/inspect/envelope_text.h"
#include "modules/tools/inspect/inspect_verbs.h"
#include "modules/tools/inspect/log_access.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::size_t names_max = 200'000;  // devices or metrics that are told apart

struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
        return std::hash<std::string_view>()(text);
    }
};
using Counts = std::unordered_map<std::string, std::uint64_t, TextHash, std::equal_to<>>;

void count(Counts& counts, std::string_view name) {
    const auto at = counts.find(name);
    if (at != counts.end())
        ++at->second;
    else if (counts.size() < names_max)
        counts.emplace(name, 1);
}

struct LaneSummary {
    std::uint64_t epoch = 0, last_sequence = 0, envelopes = 0, events = 0;
};

struct Totals {
    std::map<RecordKind, std::uint64_t> kinds;
    std::array<std::uint64_t, 9> events{};
    std::uint64_t unsigned_records = 0, imported = 0, future_time = 0;
    std::uint64_t lost_envelopes = 0, lost_events = 0;
    UnixNanos first_ns = UINT64_MAX, last_ns = 0;
    Counts devices, metrics;
    std::map<LaneKey, LaneSummary> lanes;  // by the envelopes
};

void add_lane(Totals& totals, const wal::RecordView& record) {
    if (record.header.kind != RecordKind::universal && record.header.kind != RecordKind::gap)
        return;
    const auto cut = wire::cut_envelope(record.stored, nullptr, nullptr, wal::stored_bytes_max);
    if (!cut)
        return;
    totals.lost_envelopes += cut->gap.envelopes;
    totals.lost_events += cut->gap.events;
    if (cut->sequence.value == 0)
        return;
    const LaneKey key{std::string(cut->agent_id), std::string(cut->lane)};
    LaneSummary& lane = totals.lanes[key];
    lane.epoch = cut->epoch.value;
    lane.last_sequence = cut->sequence.value;
    ++lane.envelopes;
    lane.events += cut->events;
}

void add_event(Totals& totals, const wire::Event& event) {
    ++totals.events.at(static_cast<std::size_t>(event.kind));
    if (event.kind == wire::EventKind::audit || event.kind == wire::EventKind::gap)
        return;
    if (event.time_ns != 0) {
        totals.first_ns = std::min(totals.first_ns, event.time_ns);
        totals.last_ns = std::max(totals.last_ns, event.time_ns);
    }
    count(totals.devices, event.device);
    if (event.kind == wire::EventKind::metric)
        count(totals.metrics, event.metric);
}

// The bus's own account of a lane goes before what its envelopes show: it survives pruning.
Result<> add_lane_states(Totals& totals, wal::Log& log) {
    constexpr std::string_view prefix = "lane/";
    AMOSKYS_TRY(states, log.states(prefix));
    for (const wal::StateUpdate& each : states) {
        const std::string_view name = std::string_view(each.key).substr(prefix.size());
        const std::size_t slash = name.find('/');
        const auto state = wire::decode_lane_state(each.value);
        if (slash == std::string_view::npos || !state)
            continue;
        const LaneKey key{std::string(name.substr(0, slash)), std::string(name.substr(slash + 1))};
        totals.lanes[key] = {state->epoch.value, state->last_sequence.value, state->envelopes,
                             state->events};
    }
    return {};
}

Json lanes_json(const Totals& totals) {
    Json out = Json::array();
    for (const auto& [key, lane] : totals.lanes) {
        Json row = Json::object();
        row["agent"] = key.agent_id;
        row["lane"] = key.lane;
        row["epoch"] = lane.epoch;
        row["last_sequence"] = lane.last_sequence;
        row["envelopes"] = lane.envelopes;
        row["events"] = lane.events;
        out.push_back(std::move(row));
    }
    return out;
}

Json top_json(const Counts& counts, std::uint64_t top) {
    std::vector<std::pair<std::string_view, std::uint64_t>> list(counts.begin(), counts.end());
    std::ranges::sort(list, [](const auto& a, const auto& b) {
        return a.second != b.second ? a.second > b.second : a.first < b.first;
    });
    list.resize(std::min<std::size_t>(list.size(), top));
    Json out = Json::array();
    for (const auto& [name, events] : list)
        out.push_back({{"device", name}, {"events", events}});
    return out;
}

std::uint64_t at(const std::map<RecordKind, std::uint64_t>& kinds, RecordKind kind) {
    const auto found = kinds.find(kind);
    return found == kinds.end() ? 0 : found->second;
}

Json records_json(const Totals& totals) {
    Json out = Json::object();
    for (const RecordKind kind :
         {RecordKind::universal, RecordKind::legacy, RecordKind::gap, RecordKind::audit})
        out[std::string(record_kind_name(kind))] = at(totals.kinds, kind);
    return out;
}

Json events_json(const Totals& totals) {
    Json out = Json::object();
    for (std::size_t i = 0; i < totals.events.size(); ++i)
        if (totals.events[i] != 0)
            out[std::string(wire::event_kind_name(static_cast<wire::EventKind>(i)))] =
                totals.events[i];
    return out;
}

Json summary_json(const Totals& totals, const wal::LogStats& stats,
                  const wire::DecodeCounts& decoded, std::uint64_t top) {
    Json out = Json::object();
    std::uint64_t read = 0;
    for (const auto& [kind, records] : totals.kinds)
        read += records;
    out["records"] = read;
    out["envelopes"] =
        at(totals.kinds, RecordKind::universal) + at(totals.kinds, RecordKind::legacy);
    out["events"] = decoded.events;
    out["bytes"] = stats.stored_bytes;
    out["file_bytes"] = stats.file_bytes;
    out["segments"] = stats.segments;
    out["oldest_offset"] = stats.oldest.value;
    out["newest_offset"] = stats.newest.value;
    out["first_event"] = totals.last_ns == 0 ? Json() : json::time(totals.first_ns);
    out["last_event"] = json::time(totals.last_ns);
    out["first_received"] = json::time(stats.oldest_received_ns);
    out["last_received"] = json::time(stats.newest_received_ns);
    out["records_by_kind"] = records_json(totals);
    out["events_by_kind"] = events_json(totals);
    out["devices"] = totals.devices.size();
    out["metrics"] = totals.metrics.size();
    out["top_devices"] = top_json(totals.devices, top);
    out["lanes"] = lanes_json(totals);
    out["unsigned"] = totals.unsigned_records;
    out["imported"] = totals.imported;
    out["future_time"] = totals.future_time;
    out["gap_markers"] = at(totals.kinds, RecordKind::gap);
    out["lost_envelopes"] = totals.lost_envelopes;
    out["lost_events"] = totals.lost_events;
    out["altered_envelopes"] = decoded.altered_envelopes;
    out["malformed_envelopes"] = decoded.malformed_envelopes;
    out["malformed_events"] = decoded.malformed_events;
    return out;
}

}  // namespace

Result<> summary(module::ToolContext& context) {
    const auto& options = *static_cast<const SummaryOptions*>(context.config.get());
    AMOSKYS_TRY(log, open_any_for_reading(context, options.log));
    const wal::LogStats stats = log->stats();
    module::Progress progress(context.progress, "reading", "records", stats.records);
    Totals totals;
    wire::EventDecoder decoder;
    Walk step;
    step.visit = [&](const wal::RecordView& record) {
        ++totals.kinds[record.header.kind];
        totals.unsigned_records += (record.header.flags & wal::flag_unsigned) != 0 ? 1 : 0;
        totals.imported += (record.header.flags & wal::flag_imported) != 0 ? 1 : 0;
        totals.future_time += (record.header.flags & wal::flag_future_time) != 0 ? 1 : 0;
        add_lane(totals, record);
        decoder.decode_record(record.header.kind, record.stored, record.header.digest,
                              record.header.offset.value, [&](const wire::Event& event) {
                                  add_event(totals, event);
                                  return true;
                              });
        return Next::go_on;
    };
    AMOSKYS_TRY_VOID(walk(*log, progress, step));
    AMOSKYS_TRY_VOID(add_lane_states(totals, *log));
    Json out = summary_json(totals, stats, decoder.counts(), options.top);
    // In segments that were set aside or cannot be read; `gaps` names the ranges.
    std::uint64_t unreadable = 0;
    for (const wal::Damage& damage : log->damages())
        if (damage.last.value != 0)
            unreadable += damage.last.value - damage.first.value + 1;
    out["unreadable_records"] = unreadable;
    out["damages"] = log->damages().size();
    return write_object(context.out, context.output, "summary", out);
}

}  // namespace amoskys::modules::inspect
