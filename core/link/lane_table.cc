#include "core/link/lane_table.h"

#include <algorithm>
#include <optional>

#include "core/wal/record.h"
#include "core/wire/envelope.h"
#include "core/wire/state_codec.h"

namespace amoskys::link {
namespace {

constexpr std::string_view lane_prefix = "lane/";

Result<LaneKey> parse_key(std::string_view key) {
    const auto rest = key.substr(lane_prefix.size());
    const auto slash = rest.find('/');
    LaneKey out;
    if (slash != std::string_view::npos) {
        out.agent_id = rest.substr(0, slash);
        out.lane = rest.substr(slash + 1);
    }
    if (!valid_agent_id(out.agent_id) || !valid_lane(out.lane))
        return make_error(ErrorKind::bad_data, "lane_state_key",
                          "the log has a state with the key \"" + std::string(key) +
                              "\"; expected lane/AGENT/LANE");
    return out;
}

// The digest of a record that is this very envelope.
std::optional<Digest> match(const wal::RecordView& record,
                            const std::array<std::uint8_t, 16>& source, Epoch epoch,
                            SeqNo sequence) {
    const auto kind = record.header.kind;
    if (kind != RecordKind::universal && kind != RecordKind::gap)
        return std::nullopt;
    if (record.header.source_hash != source)
        return std::nullopt;
    const auto cut = wire::cut_envelope(record.stored);
    if (!cut || cut->epoch != epoch || cut->sequence != sequence)
        return std::nullopt;
    return record.header.digest;
}

}  // namespace

void Lane::remember(const SeenEnvelope& seen) {
    recent.push_back(seen);
    if (recent.size() > recent_digests)
        recent.pop_front();
}

void Lane::settle() {
    writing = false;
    if (!when_settled)
        return;
    auto next = std::move(when_settled);
    when_settled = nullptr;
    next();
}

std::string lane_state_key(const LaneKey& key) {
    return std::string(lane_prefix) + key.agent_id + "/" + key.lane;
}

Result<> LaneTable::load(wal::Log& log) {
    AMOSKYS_TRY(states, log.states(lane_prefix));
    for (const auto& update : states) {
        AMOSKYS_TRY(key, parse_key(update.key));
        AMOSKYS_TRY(state, wire::decode_lane_state(update.value));
        Lane lane;
        lane.key = key;
        lane.committed = std::move(state);
        lanes_.insert_or_assign(key, std::move(lane));
    }
    return {};
}

Result<> LaneTable::rebuild(wal::Log& log, WalOffset from) {
    constexpr std::uint64_t chunk = 4096;
    std::map<LaneKey, wire::LaneState> changed;
    const auto note = [&](const wal::RecordView& record) {
        const auto cut = wire::cut_envelope(record.stored, nullptr, nullptr, wal::stored_bytes_max);
        if (!cut || cut->sequence.value == 0)
            return;
        const LaneKey key{std::string(cut->agent_id), std::string(cut->lane)};
        const auto known = lanes_.find(key);
        auto& state = changed
                          .try_emplace(key, known == lanes_.end() ? wire::LaneState{}
                                                                  : known->second.committed)
                          .first->second;
        state = wire::replayed(*cut, state, record.header.digest, record.header.received_ns);
    };
    const auto newest = log.stats().newest;
    while (from <= newest) {
        AMOSKYS_TRY(next, log.read(from, chunk, [&](const wal::RecordView& record) {
            const auto kind = record.header.kind;
            if (kind == RecordKind::universal || kind == RecordKind::gap)
                note(record);
            return true;
        }));
        if (next <= from)
            break;
        from = next;
    }
    wal::Group group;
    group.states_complete = true;
    for (auto& [key, state] : changed) {
        group.states.push_back({lane_state_key(key), wire::encode_lane_state(state)});
        Lane lane;
        lane.key = key;
        lane.committed = std::move(state);
        lanes_.insert_or_assign(key, std::move(lane));
    }
    AMOSKYS_TRY_VOID(log.append(group));
    return {};
}

Lane* LaneTable::open(const LaneKey& key) {
    const auto found = lanes_.find(key);
    if (found != lanes_.end())
        return &found->second;
    const auto first = lanes_.lower_bound(LaneKey{key.agent_id, {}});
    std::size_t count = 0;
    for (auto it = first; it != lanes_.end() && it->first.agent_id == key.agent_id; ++it)
        ++count;
    if (count >= max_lanes_per_agent)
        return nullptr;
    Lane& lane = lanes_[key];
    lane.key = key;
    return &lane;
}

const Lane* LaneTable::find(const LaneKey& key) const {
    const auto found = lanes_.find(key);
    return found == lanes_.end() ? nullptr : &found->second;
}

Lane* LaneTable::find(const LaneKey& key) {
    const auto found = lanes_.find(key);
    return found == lanes_.end() ? nullptr : &found->second;
}

wire::StoredDigest find_in_log(wal::Log& log, const LaneKey& key, std::string_view key_id,
                               Epoch epoch, SeqNo sequence) {
    constexpr std::uint64_t chunk = 4096;
    const auto source = wal::source_hash(key.agent_id, key.lane, key_id);
    const auto stats = log.stats();
    const std::uint64_t oldest = stats.oldest.value;
    std::uint64_t end = stats.newest.value + 1;
    const std::uint64_t stop =
        std::max(oldest, end > max_searched_records ? end - max_searched_records : 1);
    while (end > stop) {
        const std::uint64_t begin = std::max(stop, end > chunk ? end - chunk : 1);
        std::optional<Digest> digest;
        auto read = log.read({begin}, end - begin, [&](const wal::RecordView& record) {
            if (record.header.offset.value >= end)
                return false;
            digest = match(record, source, epoch, sequence);
            return !digest;
        });
        if (!read)
            break;
        if (digest)
            return {.pruned = false, .found = true, .digest = *digest};
        end = begin;
    }
    // All records from the first on were seen: then it was never there.
    const bool whole_log = end <= 1 || stats.newest.value == 0;
    return {.pruned = !whole_log, .found = false, .digest = {}};
}

}  // namespace amoskys::link
