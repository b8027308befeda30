#include "core/link/trust_journal.h"

#include <charconv>
#include <limits>

#include "core/link/audit.h"

namespace amoskys::link {
namespace {

constexpr std::string_view trust_prefix = "trust/", reset_prefix = "reset/";
constexpr std::size_t max_records = 100;

std::string reset_key(const LaneKey& lane) {
    return std::string(reset_prefix) + lane.agent_id + "/" + lane.lane;
}

std::string joined(const auto& words, std::string_view none) {
    std::string out;
    for (const auto& word : words)
        out += (out.empty() ? "" : ", ") + std::string(word);
    return out.empty() ? std::string(none) : out;
}

wal::OwnedAppend record(std::string action, const std::string& agent_id, std::string before,
                        std::string after, UnixNanos now_ns) {
    return audit_record({.category = "trust",
                         .action = std::move(action),
                         .object_type = "agent",
                         .object_id = agent_id,
                         .actor_id = "bus",
                         .session_id = {},
                         .before = std::move(before),
                         .after = std::move(after),
                         .reason = {}},
                        now_ns);
}

}  // namespace

std::string describe_agent(const crypto::TrustedAgent& agent) {
    std::vector<std::string> keys;
    for (const crypto::TrustedKey& key : agent.keys) {
        std::string text = key.id + " " + std::string(crypto::key_status_name(key.status));
        if (key.not_before_ns != 0)
            text += " from " + format_time(key.not_before_ns);
        if (key.not_after_ns != std::numeric_limits<UnixNanos>::max())
            text += " until " + format_time(key.not_after_ns);
        keys.push_back(std::move(text));
    }
    return std::string(agent.revoked ? "revoked; " : "") + "keys " + joined(keys, "none") +
           "; permissions " + joined(crypto::permission_names(agent.permissions), "none") +
           "; devices " + joined(agent.devices, "any") + "; rate " +
           std::to_string(agent.rate_limit_events);
}

Result<> TrustJournal::load(wal::Log& log) {
    for (const std::string_view prefix : {trust_prefix, reset_prefix}) {
        AMOSKYS_TRY(states, log.states(prefix));
        recorded(states);
    }
    return {};
}

void TrustJournal::recorded(const std::vector<wal::StateUpdate>& states) {
    for (const wal::StateUpdate& state : states) {
        if (state.value.empty())
            known_.erase(state.key);
        else
            known_.insert_or_assign(state.key, state.value);
        begun_ = begun_ || state.key.starts_with(trust_prefix);
    }
}

TrustJournal::Changes TrustJournal::changes(const crypto::TrustMap& trust, UnixNanos now_ns) const {
    Changes out;
    std::size_t count = 0;
    const auto change = [&](std::string action, const std::string& agent_id, std::string before,
                            std::string after) {
        out.states.push_back({std::string(trust_prefix) + agent_id, after});
        if (begun_ && ++count <= max_records)
            out.records.push_back(
                record(std::move(action), agent_id, std::move(before), std::move(after), now_ns));
    };
    for (const auto& [name, agent] : trust.agents()) {
        std::string now = describe_agent(agent);
        const auto known = known_.find(std::string(trust_prefix) + name);
        if (known == known_.end())
            change("added", name, {}, std::move(now));
        else if (known->second != now)
            change(agent.revoked && !known->second.starts_with("revoked") ? "revoked" : "changed",
                   name, known->second, std::move(now));
        for (const auto& [lane, time_ns] : agent.accepted_resets) {
            const Reset reset{{name, lane}, time_ns};
            const auto honoured = known_.find(reset_key(reset.lane));
            std::uint64_t last_ns = 0;
            if (honoured != known_.end())
                std::from_chars(honoured->second.data(),
                                honoured->second.data() + honoured->second.size(), last_ns);
            if (time_ns > last_ns)
                out.resets.push_back(reset);
        }
    }
    for (auto at = known_.lower_bound(trust_prefix);
         at != known_.end() && at->first.starts_with(trust_prefix); ++at) {
        const std::string name = at->first.substr(trust_prefix.size());
        if (trust.find(name) == nullptr)
            change("removed", name, at->second, {});
    }
    if (count > max_records)
        out.records.push_back(record(
            "changed", "further agents", {},
            std::to_string(count - max_records) + " further agents of the trust map", now_ns));
    return out;
}

wal::StateUpdate TrustJournal::honoured_state(const Reset& reset) {
    return {reset_key(reset.lane), std::to_string(reset.time_ns)};
}

wal::OwnedAppend TrustJournal::honoured_record(const Reset& reset, const std::string& before,
                                               UnixNanos now_ns) {
    return audit_record({.category = "epoch",
                         .action = "reset_accepted",
                         .object_type = "lane",
                         .object_id = reset.lane.agent_id + "/" + reset.lane.lane,
                         .actor_id = "bus",
                         .session_id = {},
                         .before = before,
                         .after = "open",
                         .reason = "accepted at " + format_time(reset.time_ns)},
                        now_ns);
}

}  // namespace amoskys::link
