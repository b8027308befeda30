// `inspect heads`: what the agents have signed about their lanes, against what the log has of them,
// and who is silent.
#include <array>

#include "core/base/text.h"
#include "core/crypto/pki.h"
#include "core/wire/state_codec.h"
#include "core/wire/statement.h"
#include "modules/tools/inspect/heads.h"
#include "modules/tools/inspect/inspect_verbs.h"
#include "modules/tools/inspect/log_access.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::array<Column, 12> head_columns{{
    {"agent"},
    {"lane"},
    {"epoch", "", false, true},
    {"last_sequence", "", true, true},
    {"committed", "", true, true},
    {"ahead", "", true, true},
    {"time"},
    {"received"},
    {"interval_seconds", "", false, true},
    {"silent"},
    {"signature"},
    {"head_digest", "", false},
}};
constexpr Noun head_noun{"head", head_columns};
constexpr std::uint64_t missed_intervals = 2;

// Sequence that the log has of the head's epoch.
Result<std::uint64_t> committed_of(wal::Log& log, const amoskys::bus::Head& head) {
    AMOSKYS_TRY(state, log.state("lane/" + head.agent_id() + "/" + head.lane()));
    if (!state)
        return std::uint64_t{0};
    AMOSKYS_TRY(lane, wire::decode_lane_state(*state));
    return lane.epoch.value == head.epoch() ? lane.last_sequence.value : std::uint64_t{0};
}

}  // namespace

Result<std::shared_ptr<const crypto::TrustMap>> load_trust(const module::ToolContext& context,
                                                           const std::string& option) {
    const std::filesystem::path file = option.empty()
                                           ? crypto::PkiPaths{context.state_dir / "pki"}.trust_map()
                                           : std::filesystem::path(option);
    std::error_code failed;
    if (!std::filesystem::exists(file, failed)) {
        if (option.empty())  // a log of imported records needs none
            return std::shared_ptr<const crypto::TrustMap>();
        return make_error(ErrorKind::no_input, "trust_map_missing",
                          "no trust map at " + file.string());
    }
    return crypto::TrustMap::load(file);
}

std::string_view head_signature(const amoskys::bus::Head& head, const crypto::TrustMap* trust) {
    const auto* agent = trust == nullptr ? nullptr : trust->find(head.agent_id());
    if (agent == nullptr)
        return "unknown_key";
    for (const auto& key : agent->keys)
        if (key.id == head.key_id())
            return wire::signature_fits(head, key.key) ? "ok" : "wrong";
    return "unknown_key";
}

Result<> heads(module::ToolContext& context) {
    const auto& options = *static_cast<const HeadsOptions*>(context.config.get());
    AMOSKYS_TRY(output, RowOutput::open(context.out, context.output, head_noun));
    AMOSKYS_TRY(log, open_for_reading(context, options.log));
    AMOSKYS_TRY(trust, load_trust(context, options.trust));
    AMOSKYS_TRY(states, log->states(wire::kept_head_prefix));
    const UnixNanos now_ns = system_clock().now_ns();
    for (const auto& each : states) {
        AMOSKYS_TRY(kept, wire::decode_kept_head(each.value));
        const auto& head = kept.head;
        AMOSKYS_TRY(committed, committed_of(*log, head));
        const UnixNanos patience_ns = missed_intervals * head.interval_ms() * 1'000'000ULL;
        Json row = Json::object();
        row["agent"] = printable(head.agent_id());
        row["lane"] = printable(head.lane());
        row["epoch"] = head.epoch();
        row["last_sequence"] = head.last_sequence();
        row["committed"] = committed;
        row["ahead"] = head.last_sequence() > committed ? head.last_sequence() - committed : 0;
        row["time"] = json::time(head.time_ns());
        row["received"] = json::time(kept.received_ns);
        row["interval_seconds"] = static_cast<double>(head.interval_ms()) / 1000;
        row["silent"] = now_ns > kept.received_ns + patience_ns;
        row["signature"] = head_signature(head, trust.get());
        row["head_digest"] = to_hex(as_bytes(head.head_digest()));
        if (!output->row(row))
            break;
    }
    return output->finish();
}

}  // namespace amoskys::modules::inspect
