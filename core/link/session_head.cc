// HEAD in a session: an agent's signed word on how far its lane goes. One that does not fit is
// counted, said and left out; the session goes on, as its envelopes are judged by themselves.
#include "core/base/text.h"
#include "core/link/audit.h"
#include "core/link/server_session.h"
#include "core/log/log.h"

namespace amoskys::link {
namespace {
constexpr auto shortest_interval = std::chrono::seconds(1);
}

std::string ServerSession::head_trouble(const amoskys::bus::Head& head) const {
    if (lane_ == nullptr)
        return "HEAD in a session without a lane";
    if (head.agent_id() != peer_.common_name || head.lane() != lane_->key.lane)
        return "HEAD of '" + excerpt(head.agent_id()) + "/" + excerpt(head.lane()) +
               "' in a session of '" + peer_.common_name + "/" + lane_->key.lane + "'";
    const auto* key = trust_->find_key(*agent_, head.key_id());
    if (key == nullptr || !key->usable_at(bus_.clock.now_ns()))
        return "HEAD signed by the key '" + excerpt(head.key_id()) +
               "', which the trust map does not have";
    return wire::signature_fits(head, key->key) ? "" : "bad signature of HEAD";
}

void ServerSession::on_head(const amoskys::bus::Head& head) {
    const auto now = bus_.clock.steady();
    if (last_head_ && now - *last_head_ < shortest_interval)
        return;
    last_head_ = now;
    if (const std::string wrong = head_trouble(head); !wrong.empty()) {
        bus_.metrics.heads_refused.add();
        if (!log::allow("head " + peer_.common_name))
            return;
        log::warning("bus", "head_refused", wrong, {{"cn", peer_.common_name}});
        bus_.audit(audit_record({.category = "head",
                                 .action = "refused",
                                 .object_type = "lane",
                                 .object_id = excerpt(head.lane()),
                                 .actor_id = peer_.common_name,
                                 .session_id = session_name(),
                                 .before = {},
                                 .after = {},
                                 .reason = wrong},
                                bus_.clock.now_ns()));
        return;
    }
    wire::KeptHead kept{bus_.clock.now_ns(), head};
    batch().write.states.push_back({wire::kept_head_key(lane_->key), wire::encode_kept_head(kept)});
    bus_.heads.note(lane_->key, std::move(kept));
    bus_.metrics.heads.add();
}

}  // namespace amoskys::link
