#include "modules/tools/inspect/state_check.h"

#include <charconv>
#include <set>

#include "core/base/text.h"
#include "core/wire/state_codec.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::string_view lane_prefix = "lane/", trust_prefix = "trust/", reset_prefix = "reset/";

std::string position(const wire::LaneState& state) {
    return "epoch " + std::to_string(state.epoch.value) + " sequence " +
           std::to_string(state.last_sequence.value);
}

std::string counts(const wire::LaneState& state) {
    return std::to_string(state.envelopes) + " envelopes and " + std::to_string(state.events) +
           " events";
}

std::string resets(const wire::LaneState& state) {
    return std::to_string(state.unlinked_resets_today) + " unlinked epochs on day " +
           std::to_string(state.reset_day);
}

// A lane is closed without a record of its own.
bool resets_agree(const wire::LaneState& state, const LaneChain& chain) {
    const wire::LaneState& made = chain.state;
    const bool day = state.reset_day == made.reset_day ||
                     (chain.around_midnight && state.reset_day + 1 == made.reset_day);
    const bool closed = state.unlinked_resets_today == wire::unlinked_resets_per_day + 1 &&
                        made.unlinked_resets_today == wire::unlinked_resets_per_day;
    return day && (closed || chain.around_midnight ||
                   state.unlinked_resets_today == made.unlinked_resets_today);
}

// What differs first; "" = nothing.
std::string lane_difference(const wire::LaneState& state, const LaneChain& chain) {
    const wire::LaneState& made = chain.state;
    if (state.epoch != made.epoch || state.last_sequence != made.last_sequence)
        return "the bus's state says " + position(state) + ", the records end with " +
               position(made);
    if (state.head_signature != made.head_signature || state.head_digest != made.head_digest)
        return "the head in the bus's state is not the lane's last envelope, sequence " +
               std::to_string(made.last_sequence.value);
    const bool fewer = state.envelopes < made.envelopes || state.events < made.events;
    const bool differ = state.envelopes != made.envelopes || state.events != made.events;
    if (fewer || (chain.whole() && differ))
        return "the bus's state counts " + counts(state) + ", the records have " + counts(made);
    if (chain.whole() && !resets_agree(state, chain))
        return "the bus's state counts " + resets(state) + ", the records have " + resets(made);
    return {};
}

Result<> check_lanes(wal::Log& log, const StateFacts& facts, const StateReport& report) {
    AMOSKYS_TRY(states, log.states(lane_prefix));
    std::set<LaneKey> known;
    for (const wal::StateUpdate& each : states) {
        const std::string name = each.key.substr(lane_prefix.size());
        const auto state = wire::decode_lane_state(each.value);
        const std::size_t slash = name.find('/');
        const LaneKey key{name.substr(0, slash),
                          slash == std::string::npos ? "" : name.substr(slash + 1)};
        known.insert(key);
        if (!state)
            report("lane_state", "the state '" + printable(each.key) + "' cannot be read", key);
        else if (const auto chain = facts.chains.find(key); chain != facts.chains.end()) {
            if (std::string wrong = lane_difference(*state, chain->second); !wrong.empty())
                report("lane_state", std::move(wrong), key);
        } else if (facts.whole_log && state->epoch.value != 0) {
            report("lane_state",
                   "the bus's state says " + position(*state) + ", the log has no such record",
                   key);
        }
    }
    for (const auto& [key, chain] : facts.chains)
        if (!known.contains(key))
            report("lane_state",
                   "the bus has no state of this lane, whose records end with " +
                       position(chain.state),
                   key);
    return {};
}

Result<> check_trust(wal::Log& log, const StateFacts& facts, const StateReport& report) {
    for (const auto& [agent, said] : facts.trail.trust) {
        AMOSKYS_TRY(state, log.state(std::string(trust_prefix) + agent));
        if (state.value_or("") != said.text)
            report("trust_state",
                   "the bus's state of agent '" + printable(agent) + "' is '" +
                       excerpt(state.value_or("")) + "', audit record " +
                       std::to_string(said.at.value) + " says '" + excerpt(said.text) + "'",
                   {agent, {}});
    }
    for (const auto& [lane, said] : facts.trail.accepted_resets) {
        AMOSKYS_TRY(state, log.state(std::string(reset_prefix) + lane.agent_id + "/" + lane.lane));
        std::uint64_t time_ns = 0;
        const std::string text = state.value_or("");
        std::from_chars(text.data(), text.data() + text.size(), time_ns);
        if (time_ns < said.time_ns)
            report("trust_state",
                   "the bus's state has no accepted reset of " + format_time(said.time_ns) +
                       ", audit record " + std::to_string(said.at.value) + " tells of it",
                   lane);
    }
    return {};
}

}  // namespace

Result<> check_states(wal::Log& log, const StateFacts& facts, const StateReport& report) {
    AMOSKYS_TRY_VOID(check_lanes(log, facts, report));
    return check_trust(log, facts, report);
}

}  // namespace amoskys::modules::inspect
