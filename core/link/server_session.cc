#include "core/link/server_session.h"

#include <algorithm>

#include "core/base/text.h"
#include "core/link/audit.h"
#include "core/log/log.h"

namespace amoskys::link {
namespace {

using amoskys::bus::ErrorFrame;
constexpr std::uint32_t protocol_version = 1;
constexpr auto lane_patience = std::chrono::seconds(10);

std::uint32_t milliseconds(Duration duration) {
    return static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

}  // namespace

ServerSession::ServerSession(BusState& bus, std::uint64_t id, PeerFacts peer)
    : bus_(bus), id_(id), peer_(std::move(peer)) {
    opened_ = last_input_ = last_ping_ = last_receipt_ = bus_.clock.steady();
}

ServerSession::~ServerSession() {
    release();
}

std::string ServerSession::session_name() const {
    return peer_.address + "#" + std::to_string(id_);
}

void ServerSession::send(const wire::Frame& frame) {
    output_ += wire::encode_frame(frame);
}

void ServerSession::send_error(std::uint64_t request_id, ErrorFrame::Code code,
                               const std::string& reason, std::chrono::milliseconds hint) {
    wire::Frame frame;
    frame.set_request_id(request_id);
    frame.mutable_error()->set_code(code);
    frame.mutable_error()->set_reason(reason);
    frame.mutable_error()->set_backoff_hint_ms(static_cast<std::uint32_t>(hint.count()));
    send(frame);
}

void ServerSession::fail(ErrorFrame::Code code, const std::string& reason) {
    if (closing_)
        return;
    send_error(0, code, reason);
    close(reason);
}

void ServerSession::close(const std::string& reason) {
    if (closing_)
        return;
    closing_ = true;
    close_reason_ = reason;
    release();
}

void ServerSession::disconnected(const std::string& why) {
    close(why);
}

// Idempotent. A write that is with the log goes on: on_committed() tells the lane.
void ServerSession::release() {
    end_subscription();
    bus_.starving.erase(id_);
    bus_.budget.give_back(parked_ ? 0 : granted_bytes_ - answered_bytes_);
    granted_bytes_ = answered_bytes_;
    if (batch_)
        drop_keys(*batch_);
    batch_.reset();
    if (lane_ != nullptr && lane_->session == id_)
        lane_->session = 0;
    if (agent_counted_) {
        const auto found = bus_.connected_agents.find(peer_.common_name);
        if (found != bus_.connected_agents.end())
            bus_.connected_agents.erase(found);
        agent_counted_ = false;
    }
}

bool ServerSession::next_request_id(std::uint64_t id) {
    if (id > last_request_id_) {
        last_request_id_ = id;
        return true;
    }
    fail(ErrorFrame::INVALID_REQUEST, "request_id " + std::to_string(id) + " after " +
                                          std::to_string(last_request_id_) + "; ids ascend from 1");
    return false;
}

void ServerSession::on_frame(ByteView body) {
    if (closing_)
        return;
    last_input_ = bus_.clock.steady();
    auto publish = wire::split_publish(body);
    if (!publish)
        return on_framing_error(publish.error());
    if (*publish) {
        if (phase_ == Phase::hello || phase_ == Phase::waiting_for_lane)
            return fail(ErrorFrame::HELLO_EXPECTED,
                        "the first frame is HELLO, and PUBLISH waits for WELCOME");
        return on_publish(**publish);
    }
    auto frame = wire::decode_frame(body);
    if (!frame)
        return on_framing_error(frame.error());
    const bool hello = frame->body_case() == wire::Frame::kHello;
    if (phase_ == Phase::hello) {
        if (!hello)
            return fail(ErrorFrame::HELLO_EXPECTED, "the first frame of a session is HELLO");
        return on_hello(*frame);
    }
    if (hello)
        return fail(ErrorFrame::HELLO_EXPECTED, "a second HELLO; a session has one");
    on_other(*frame);
}

void ServerSession::on_framing_error(const Error& error) {
    const bool large = error.code == "frame_too_large";
    bus_.metrics.connection_refused(large ? "frame_too_large" : "malformed_frame");
    fail(large ? ErrorFrame::FRAME_TOO_LARGE : ErrorFrame::MALFORMED_FRAME, error.message);
}

void ServerSession::on_slow_frame() {
    if (closing_)
        return;
    bus_.metrics.connection_refused("frame_timeout");
    fail(ErrorFrame::TIMEOUT,
         "a frame has not come whole within " + format_duration(bus_.limits.frame));
}

bool ServerSession::check_identity(const amoskys::bus::Hello& hello) {
    std::string reason;
    std::string_view label;
    if (peer_.common_name.empty()) {
        reason = "the client certificate does not have exactly one CN";
        label = "no_common_name";
    } else if (agent_ = bus_.trust->find(peer_.common_name); agent_ == nullptr) {
        reason = "agent '" + excerpt(peer_.common_name) + "' is not in the trust map";
        label = "unknown_agent";
    } else if (agent_->revoked) {
        reason = "agent '" + peer_.common_name + "' is revoked";
        label = "revoked";
    } else if (hello.agent_id() != peer_.common_name) {
        reason = "agent_id '" + excerpt(hello.agent_id()) + "' is not the certificate's CN '" +
                 peer_.common_name + "'";
        label = "agent_id_mismatch";
    }
    if (reason.empty()) {
        trust_ = bus_.trust;
        return true;
    }
    agent_ = nullptr;
    bus_.metrics.connection_refused(label);
    if (log::allow("refused " + peer_.address.substr(0, peer_.address.rfind(':'))))
        log::warning("bus", "identity_refused", reason, {{"peer", peer_.address}});
    bus_.audit(audit_record({.category = "identity",
                             .action = "refused",
                             .object_type = "session",
                             .object_id = excerpt(hello.agent_id()),
                             .actor_id = excerpt(peer_.common_name),
                             .session_id = session_name(),
                             .before = {},
                             .after = {},
                             .reason = reason},
                            bus_.clock.now_ns()));
    fail(ErrorFrame::IDENTITY_REFUSED, reason);
    return false;
}

void ServerSession::on_hello(const wire::Frame& frame) {
    const auto& hello = frame.hello();
    if (frame.request_id() != 0 && !next_request_id(frame.request_id()))
        return;
    if (!check_identity(hello))
        return;
    const auto& versions = hello.protocol_versions();
    if (std::ranges::find(versions, protocol_version) == versions.end())
        return fail(ErrorFrame::UNSUPPORTED_VERSION,
                    "no common protocol version; this bus speaks 1");
    if (bus_.connected_agents.count(peer_.common_name) >= bus_.limits.max_sessions_per_agent) {
        bus_.metrics.connection_refused("too_many_sessions_of_agent");
        return fail(ErrorFrame::UNAVAILABLE,
                    "agent '" + peer_.common_name + "' has " +
                        std::to_string(bus_.limits.max_sessions_per_agent) +
                        " sessions already, which is the limit");
    }
    bus_.connected_agents.insert(peer_.common_name);
    agent_counted_ = true;
    if (hello.lane().empty())
        return open("calls");
    if (!valid_lane(hello.lane()))
        return fail(ErrorFrame::INVALID_REQUEST,
                    "lane '" + excerpt(hello.lane()) + "'; allowed: [a-z0-9_-]{1,32}");
    if (!agent_->permissions.publish) {
        bus_.metrics.connection_refused("no_publish_permission");
        return fail(ErrorFrame::PERMISSION_DENIED,
                    "agent '" + peer_.common_name + "' may not publish (trust map)");
    }
    lane_ = bus_.lanes.open({peer_.common_name, hello.lane()});
    if (lane_ == nullptr)
        return fail(ErrorFrame::INVALID_REQUEST, "agent '" + peer_.common_name + "' has " +
                                                     std::to_string(max_lanes_per_agent) +
                                                     " lanes already, which is the limit");
    const auto& committed = lane_->committed;
    const bool same_epoch = hello.epoch() == committed.epoch.value;
    const std::uint64_t done = same_epoch ? committed.last_sequence.value : 0;
    const std::uint64_t lag = hello.last_sequence() > done ? hello.last_sequence() - done : 0;
    wants_more_ = lag > 1;
    bus_.metrics.lag(peer_.common_name, static_cast<double>(lag));
    note_rivals({hello.epoch()});
    claim_lane();
}

void ServerSession::note_rivals(Epoch epoch) {
    if (!bus_.rivals.claimed(lane_->key, epoch, lane_->committed.epoch, peer_.address,
                             bus_.clock.steady()))
        return;
    const auto& pair = bus_.rivals.conflicts().at(lane_->key);
    log::error("bus", "identity_conflict",
               "two hosts use the identity of one agent and take its lane from each other; give "
               "one of them its own (`amoskys pki issue agent`)",
               {{"cn", peer_.common_name},
                {"lane", lane_->key.lane},
                {"peer", pair.second},
                {"other", pair.first}});
    bus_.audit(audit_record({.category = "identity",
                             .action = "conflict",
                             .object_type = "lane",
                             .object_id = peer_.common_name + "/" + lane_->key.lane,
                             .actor_id = peer_.common_name,
                             .session_id = session_name(),
                             .before = pair.first,
                             .after = pair.second,
                             .reason = "two hosts use one identity"},
                            bus_.clock.now_ns()));
}

void ServerSession::claim_lane() {
    const auto other = lane_->session;
    lane_->session = id_;
    if (other != 0 && other != id_ && bus_.evict)
        bus_.evict(other, "another session of agent '" + peer_.common_name + "', from " +
                              peer_.address + ", took lane '" + lane_->key.lane + "'");
    if (!lane_->writing)
        return open(lane_->key.lane);
    phase_ = Phase::waiting_for_lane;
    opened_ = bus_.clock.steady();
    lane_->when_settled = [this, alive = std::weak_ptr<int>(alive_)] {
        if (alive.expired() || closing_ || lane_->session != id_)
            return;
        open(lane_->key.lane);
        if (bus_.wake)
            bus_.wake(id_);
    };
}

void ServerSession::open(const std::string& what) {
    phase_ = Phase::open;
    if (lane_ != nullptr) {
        expected_ = lane_->committed;
        receipt_epoch_ = expected_.epoch;
        receipt_sequence_ = expected_.last_sequence;
    }
    send_welcome();
    log::info("bus", "session_opened", "agent connected",
              {{"peer", peer_.address},
               {"cn", peer_.common_name},
               {"lane", what},
               {"sequence", expected_.last_sequence.value}});
}

void ServerSession::send_welcome() {
    wire::Frame frame;
    auto& welcome = *frame.mutable_welcome();
    welcome.set_protocol_version(protocol_version);
    welcome.mutable_limits()->set_max_envelope_bytes(
        static_cast<std::uint32_t>(bus_.limits.max_envelope_bytes));
    welcome.mutable_limits()->set_max_frame_bytes(wire::default_max_frame_bytes);
    extend_credit();
    welcome.mutable_window()->set_envelopes_limit(granted_envelopes_);
    welcome.mutable_window()->set_bytes_limit(granted_bytes_);
    welcome.set_bus_time_ns(bus_.clock.now_ns());
    if (bus_.log_key)
        welcome.set_log_public_key(to_string(bus_.log_key->public_key()));
    welcome.set_log_origin(bus_.log_origin);
    if (lane_ != nullptr && lane_->committed.epoch.value != 0) {
        const auto& lane = lane_->committed;
        welcome.set_committed_epoch(lane.epoch.value);
        welcome.set_committed_sequence(lane.last_sequence.value);
        welcome.set_head_sig(to_string(lane.head_signature));
        welcome.set_head_digest(to_string(lane.head_digest));
    }
    welcome.set_ping_interval_ms(milliseconds(bus_.limits.ping_after));
    welcome.set_idle_timeout_ms(milliseconds(bus_.limits.idle));
    welcome.set_server_version(bus_.version);
    welcome.add_compression(amoskys::bus::COMPRESSION_ZSTD);
    send(frame);
}

void ServerSession::on_other(const wire::Frame& frame) {
    const auto id = frame.request_id();
    using Body = wire::Frame::BodyCase;
    const auto body = frame.body_case();
    const bool numbered = id != 0 && body != Body::kPong && body != Body::kCredit;
    if (numbered && !next_request_id(id))
        return;
    if (phase_ == Phase::waiting_for_lane && body != Body::kPing)
        return fail(ErrorFrame::HELLO_EXPECTED, "requests wait for WELCOME");
    switch (body) {
        case Body::kPing: {
            wire::Frame pong;
            pong.set_request_id(id);
            pong.mutable_pong()->set_ping_sent_time_ns(frame.ping().sent_time_ns());
            pong.mutable_pong()->set_time_ns(bus_.clock.now_ns());
            return send(pong);
        }
        case Body::kPong:
            return;
        case Body::kCredit:
            if (subscription_ && id == subscription_->request_id)
                return on_deliver_credit(frame.credit());
            wants_more_ = frame.credit().waiting_envelopes() > 0;
            bus_.metrics.lag(peer_.common_name,
                             static_cast<double>(frame.credit().waiting_envelopes()));
            return grant();
        case Body::kDrain:
            phase_ = Phase::draining;
            peer_drains_ = true;
            return finish_drain();
        case Body::kHead:
            return on_head(frame.head());
        case Body::kRegisterDevice:
            return on_register(frame, frame.register_device(), false);
        case Body::kUpdateDevice:
            return on_register(frame, frame.update_device(), true);
        case Body::kDeregisterDevice:
            return on_deregister(frame);
        case Body::kHealthRequest:
            return on_health(frame);
        case Body::kStatusRequest:
            return on_status(frame);
        case Body::kMetricsRequest:
            return on_metrics(frame);
        case Body::kSubscribe:
            return on_subscribe(frame);
        case Body::kCommitOffset:
            return on_commit_offset(frame);
        default:
            if (id != 0)
                send_error(id, ErrorFrame::UNKNOWN_FRAME, "a frame that this bus does not know");
    }
}

void ServerSession::tick() {
    if (closing_)
        return;
    const auto now = bus_.clock.steady();
    if (phase_ == Phase::hello && now - opened_ >= bus_.limits.first_frame) {
        bus_.metrics.connection_refused("first_frame_timeout");
        return fail(ErrorFrame::TIMEOUT,
                    "no HELLO within " + format_duration(bus_.limits.first_frame));
    }
    if (phase_ == Phase::waiting_for_lane && now - opened_ >= lane_patience)
        return fail(ErrorFrame::UNAVAILABLE, "the lane's last write has not ended");
    if (now - last_input_ >= bus_.limits.idle) {
        bus_.metrics.connection_refused("idle_timeout");
        return fail(ErrorFrame::TIMEOUT, "nothing heard for " + format_duration(bus_.limits.idle));
    }
    if (now - last_input_ >= bus_.limits.ping_after && now - last_ping_ >= bus_.limits.ping_after) {
        wire::Frame ping;
        ping.mutable_ping()->set_sent_time_ns(bus_.clock.now_ns());
        send(ping);
        last_ping_ = now;
    }
    if (now - last_receipt_ >= bus_.limits.receipt_interval) {
        last_receipt_ = now;
        send_receipt();
    }
    park_idle_credit(now);
    if (subscription_)
        tick_subscription();
}

void ServerSession::send_receipt() {
    if (lane_ == nullptr || !bus_.log_key || phase_ == Phase::hello ||
        phase_ == Phase::waiting_for_lane)
        return;
    const auto& lane = lane_->committed;
    if (lane.last_sequence.value == 0 ||
        (lane.epoch == receipt_epoch_ && lane.last_sequence == receipt_sequence_))
        return;
    const auto head = bus_.log.tree_head();
    if (!head)
        return;  // the next interval tries again
    wire::Frame frame;
    auto& receipt = *frame.mutable_receipt();
    receipt.set_log_key_id(bus_.log_key->id());
    receipt.set_agent_id(peer_.common_name);
    receipt.set_lane(lane_->key.lane);
    receipt.set_epoch(lane.epoch.value);
    receipt.set_last_sequence(lane.last_sequence.value);
    receipt.set_head_digest(to_string(lane.head_digest));
    receipt.set_tree_size(head->size);
    receipt.set_root(to_string(head->root));
    receipt.set_time_ns(bus_.clock.now_ns());
    wire::sign(receipt, *bus_.log_key);
    send(frame);
    receipt_epoch_ = lane.epoch;
    receipt_sequence_ = lane.last_sequence;
    bus_.metrics.receipts.add();
}

void ServerSession::recheck_trust() {
    if (closing_ || agent_ == nullptr)
        return;
    trust_ = bus_.trust;
    agent_ = trust_->find(peer_.common_name);
    if (agent_ == nullptr || agent_->revoked)
        return fail(ErrorFrame::IDENTITY_REFUSED,
                    "agent '" + peer_.common_name +
                        (agent_ == nullptr ? "' has left the trust map" : "' was revoked"));
    if (lane_ != nullptr && !agent_->permissions.publish)
        return fail(ErrorFrame::PERMISSION_DENIED,
                    "agent '" + peer_.common_name + "' may not publish any more");
    if (subscription_)
        recheck_subscription();
}

void ServerSession::evict(const std::string& reason) {
    fail(ErrorFrame::LANE_BUSY, reason);
}

void ServerSession::drain(const std::string& reason) {
    if (closing_)
        return;
    if (phase_ == Phase::hello || phase_ == Phase::waiting_for_lane)
        return fail(ErrorFrame::UNAVAILABLE, reason);
    phase_ = Phase::draining;
    drain_reason_ = reason;
    wire::Frame frame;
    frame.mutable_drain()->set_reason(reason);
    frame.mutable_drain()->set_deadline_ms(milliseconds(bus_.limits.drain));
    send(frame);
    finish_drain();
}

void ServerSession::finish_drain() {
    if (phase_ != Phase::draining || !settled() || closing_)
        return;
    send_receipt();
    close(peer_drains_ ? "the agent ended the session" : drain_reason_);
}

std::string ServerSession::take_output() {
    return std::exchange(output_, {});
}

}  // namespace amoskys::link
