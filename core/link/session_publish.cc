// PUBLISH and PUBLISH_LEGACY in a session: the checks in the order of custody rule 4, the batch for
// the log, acks.
#include <zstd.h>

#include <algorithm>

#include "core/base/text.h"
#include "core/crypto/hash.h"
#include "core/link/audit.h"
#include "core/link/server_session.h"
#include "core/log/log.h"

namespace amoskys::link {
namespace {

using wire::Status;
using namespace std::chrono_literals;

constexpr std::uint64_t max_digest_searches_per_second = 4;

// `cut` views into what becomes the record: it must not be used afterwards.
wal::OwnedAppend make_record(Inspection& inspection, const wire::Verdict& verdict) {
    const wire::CutEnvelope& cut = **inspection.cut;
    wal::OwnedAppend out;
    out.kind = cut.payload_kind == wire::PayloadKind::gap ? RecordKind::gap : RecordKind::universal;
    if (verdict.clock_ahead)
        out.flags |= wal::flag_future_time;
    out.digest = verdict.digest;
    out.signature = to_string(cut.signature);
    out.source_hash = wal::source_hash(cut.agent_id, cut.lane, cut.key_id);
    out.first_event_ns = cut.first_event_ns;
    out.last_event_ns = cut.last_event_ns;
    out.device_hashes = std::move(inspection.device_hashes);
    out.stored = std::move(inspection.stored);
    return out;
}

}  // namespace

ServerSession::Batch& ServerSession::batch() {
    if (!batch_)
        batch_.emplace();
    return *batch_;
}

void ServerSession::refuse(const Request& request, Status status, std::string reason,
                           std::string_view label, std::chrono::milliseconds hint,
                           std::uint64_t expected) {
    bus_.metrics.rejected(label);
    bus_.metrics.answered(status, 1);
    answered_envelopes_ += 1;
    answered_bytes_ += request.size_bytes;
    bus_.budget.give_back(request.size_bytes);
    wire::Frame frame;
    frame.set_request_id(request.id);
    auto& ack = *frame.mutable_ack();
    if (lane_ != nullptr) {
        ack.set_committed_epoch(lane_->committed.epoch.value);
        ack.set_committed_sequence(lane_->committed.last_sequence.value);
        if (status == Status::retry)
            ack.set_expected_sequence(expected != 0 ? expected : expected_.last_sequence.value + 1);
    }
    auto& answer = *ack.mutable_ack();
    answer.set_status(static_cast<messaging::UniversalAck::Status>(status));
    if (status == Status::invalid)
        answer.add_validation_errors(reason);
    answer.set_reason(std::move(reason));
    answer.set_backoff_hint_ms(static_cast<std::uint32_t>(hint.count()));
    answer.set_processed_timestamp_ns(bus_.clock.now_ns());
    answer.set_current_load(static_cast<float>(bus_.budget.load()));
    send(frame);
    grant();
}

void ServerSession::on_publish(const wire::PublishView& publish) {
    bus_.metrics.received.add();
    if (!next_request_id(publish.request_id))
        return;
    if (publish.zstd && publish.uncompressed_bytes > bus_.limits.max_envelope_bytes) {
        const Request large{publish.request_id, bus_.limits.max_envelope_bytes, {}};
        if (!spend_credit(large.size_bytes))
            return;
        return refuse(large, Status::invalid,
                      "Envelope too large (" + std::to_string(publish.uncompressed_bytes) + " > " +
                          std::to_string(bus_.limits.max_envelope_bytes) + " bytes)",
                      "too_large");
    }
    std::string plain;
    Request request{publish.request_id, 0, publish.envelope};
    bool broken = false;
    if (publish.zstd) {
        plain.resize(publish.uncompressed_bytes);
        const auto size = ZSTD_decompress(plain.data(), plain.size(), publish.envelope.data(),
                                          publish.envelope.size());
        broken = ZSTD_isError(size) != 0 || size != plain.size();
        request.envelope = as_bytes(plain);
    }
    // An envelope over the limit costs no more than one at the limit, so that it gets its own
    // answer.
    request.size_bytes =
        std::min<std::uint64_t>(request.envelope.size(), bus_.limits.max_envelope_bytes);
    bus_.metrics.received_bytes.add(request.envelope.size());
    if (!spend_credit(request.size_bytes))
        return;
    if (broken)
        return refuse(request, Status::invalid,
                      "malformed zstd frame (uncompressed_size " +
                          std::to_string(publish.uncompressed_bytes) + ")",
                      "malformed_compression");
    if (!admitted(request))
        return;
    if (publish.legacy)
        return publish_legacy(request);
    Inspection inspection(request.id, request.envelope, trust_, *agent_,
                          bus_.limits.max_envelope_bytes);
    publish_universal(request, inspection);
}

// Only what may be the lane's next, counted with what is inspected already: anything else is
// answered without a look at its signature.
std::shared_ptr<Inspection> ServerSession::prepare(ByteView body) {
    if (closing_ || phase_ != Phase::open || lane_ == nullptr || !agent_->permissions.publish)
        return nullptr;
    const auto publish = wire::split_publish(body);
    if (!publish || !*publish || (*publish)->legacy || (*publish)->zstd)
        return nullptr;
    const auto cut = wire::cut_top_level((*publish)->envelope, bus_.limits.max_envelope_bytes);
    if (!cut || cut->payload_kind == wire::PayloadKind::gap || cut->epoch != expected_.epoch)
        return nullptr;
    const auto before = prepared_ > 0 ? last_prepared_ : expected_.last_sequence;
    if (cut->sequence != before.next())
        return nullptr;
    auto out = std::make_shared<Inspection>((*publish)->request_id, (*publish)->envelope, trust_,
                                            *agent_, bus_.limits.max_envelope_bytes);
    out->key = usable_key(cut->key_id);
    last_prepared_ = cut->sequence;
    ++prepared_;
    return out;
}

void ServerSession::on_inspected(Inspection& inspection) {
    --prepared_;
    if (closing_)
        return;
    last_input_ = bus_.clock.steady();
    bus_.metrics.received.add();
    const Request request{inspection.request_id, inspection.stored.size(),
                          as_bytes(inspection.stored)};
    if (!next_request_id(request.id))
        return;
    bus_.metrics.received_bytes.add(request.size_bytes);
    if (spend_credit(request.size_bytes) && admitted(request))
        publish_universal(request, inspection);
}

// Size, permission, rate and the state of the bus: what needs no look inside.
bool ServerSession::admitted(const Request& request) {
    const auto size = request.envelope.size();
    if (size > bus_.limits.max_envelope_bytes) {
        refuse(request, Status::invalid,
               "Envelope too large (" + std::to_string(size) + " > " +
                   std::to_string(bus_.limits.max_envelope_bytes) + " bytes)",
               "too_large");
        return false;
    }
    if (!agent_->permissions.publish) {
        refuse(request, Status::security_violation,
               "agent '" + agent_->agent_id + "' may not publish (trust map)",
               "no_publish_permission");
        return false;
    }
    if (phase_ == Phase::draining) {
        refuse(request, Status::retry, peer_drains_ ? "after DRAIN" : drain_reason_, "draining");
        return false;
    }
    if (bus_.admission) {
        const auto& why = *bus_.admission;
        refuse(request, why.status, why.reason, why.label, why.hint);
        return false;
    }
    if (agent_->rate_limit_events > 0) {
        const auto wait =
            bus_.rates[agent_->agent_id].wait(agent_->rate_limit_events, bus_.clock.steady());
        if (wait > 0ms) {
            refuse(request, Status::quota_exceeded,
                   "rate limit of " +
                       std::to_string(static_cast<std::uint64_t>(agent_->rate_limit_events)) +
                       " events/s used up",
                   "quota", wait);
            return false;
        }
    }
    return true;
}

void ServerSession::refuse_form(const Request& request, const Error& error) {
    const std::string_view label = error.code == "envelope_not_canonical" ? "not_canonical"
                                   : error.code == "payload_malformed"    ? "malformed_payload"
                                   : error.code == "payload_missing"      ? "payload_missing"
                                   : error.code == "envelope_empty"       ? "empty"
                                                                          : "malformed";
    refuse(request, Status::invalid, error.message, label);
}

void ServerSession::publish_universal(const Request& request, Inspection& inspection) {
    if (inspection.trust != trust_) {  // the trust map has changed since
        inspection.trust = trust_;
        inspection.agent = agent_;
        inspection.cut.reset();
        inspection.checked.reset();
    }
    if (!inspection.cut)
        inspection.look();
    const auto& cut = *inspection.cut;
    if (!cut)
        return refuse_form(request, cut.error());
    wire::Verdict verdict;
    if (cut->agent_id != peer_.common_name) {
        verdict.status = Status::security_violation;
        verdict.reason = "agent_id '" + excerpt(cut->agent_id) + "' is not the certificate's CN '" +
                         peer_.common_name + "'";
        verdict.reason_label = "agent_id_mismatch";
        return refuse_with_audit(request, *cut, verdict);
    }
    if (cut->sequence.value != 0 && (lane_ == nullptr || cut->lane != lane_->key.lane))
        return refuse(request, Status::invalid,
                      "lane '" + excerpt(cut->lane) + "' is not the lane of this session ('" +
                          (lane_ == nullptr ? std::string() : lane_->key.lane) + "')",
                      "lane_mismatch");
    const auto kind = wire::classify(*cut, expected_);
    if (!inspection.denied.empty() && kind != wire::Class::old && kind != wire::Class::ahead) {
        verdict.status = Status::security_violation;
        verdict.reason = "device '" + inspection.denied + "' is not one of agent '" +
                         peer_.common_name + "' (trust map)";
        verdict.reason_label = "device_denied";
        return refuse_with_audit(request, *cut, verdict);
    }
    judge_and_append(request, inspection);
}

wire::StoredDigest ServerSession::lookup(Epoch epoch, SeqNo sequence) {
    const auto is_it = [&](const SeenEnvelope& seen) {
        return seen.epoch == epoch && seen.sequence == sequence;
    };
    for (const auto* waiting : {&batch_, &in_flight_}) {
        if (!*waiting)
            continue;
        const auto& seen = (*waiting)->seen;
        if (const auto found = std::ranges::find_if(seen, is_it); found != seen.end())
            return {.pruned = false, .found = true, .digest = found->digest};
    }
    const auto& recent = lane_->recent;
    if (const auto found = std::ranges::find_if(recent, is_it); found != recent.end())
        return {.pruned = false, .found = true, .digest = found->digest};
    const auto now = bus_.clock.steady();
    if (now - digest_searches_since_ >= 1s) {
        digest_searches_since_ = now;
        digest_searches_ = 0;
    }
    if (++digest_searches_ > max_digest_searches_per_second)
        return {.pruned = true, .found = false, .digest = {}};
    return find_in_log(bus_.log, lane_->key, lookup_key_id_, epoch, sequence);
}

const crypto::TrustedKey* ServerSession::usable_key(std::string_view key_id) const {
    const auto* key = trust_->find_key(*agent_, key_id);
    return key != nullptr && key->usable_at(bus_.clock.now_ns()) ? key : nullptr;
}

void ServerSession::judge_and_append(const Request& request, Inspection& inspection) {
    const wire::CutEnvelope& cut = **inspection.cut;
    const bool sequenced = cut.sequence.value != 0;
    std::string key32;
    if (!sequenced) {
        if (!agent_->permissions.publish_unsequenced)
            return refuse(
                request, Status::security_violation,
                "agent '" + peer_.common_name + "' may not publish without sequence (trust map)",
                "unsequenced_denied");
        if (unsequenced_duplicate(request, cut.idempotency_key, wire::canonical_digest(cut), key32))
            return;
    }
    lookup_key_id_ = cut.key_id;
    const auto* key = usable_key(cut.key_id);
    const wire::LaneState no_lane;
    wire::CustodyInput input{.envelope = cut, .lane = sequenced ? expected_ : no_lane, .key = key};
    input.lookup = [](void* context, Epoch epoch, SeqNo sequence) {
        return static_cast<ServerSession*>(context)->lookup(epoch, sequence);
    };
    input.lookup_context = this;
    if (inspection.checked && inspection.key == key)
        input.checked = inspection.checked;
    input.now_ns = bus_.clock.now_ns();
    auto verdict = wire::judge(input);
    if (verdict.append) {
        if (!key32.empty()) {
            bus_.keys_in_flight.emplace(key32, verdict.digest);
            batch().keys.push_back(key32);
        }
        return accept(request, inspection, std::move(verdict));
    }
    if (verdict.status == Status::ok) {  // a duplicate: OK once the original is committed
        (verdict.reason_label == "duplicate_unverified" ? bus_.metrics.unverified
                                                        : bus_.metrics.duplicates)
            .add();
        batch().answers.push_back({request.id, request.size_bytes, cut.events, true,
                                   bus_.clock.steady(), cut.requires_acknowledgment});
        return;
    }
    if (verdict.store_state) {
        expected_ = verdict.after;
        batch().after = verdict.after;
    }
    if (verdict.audit)
        return refuse_with_audit(request, cut, verdict);
    refuse(request, verdict.status, verdict.reason, verdict.reason_label, 0ms,
           verdict.expected.value);
}

void ServerSession::refuse_with_audit(const Request& request, const wire::CutEnvelope& cut,
                                      const wire::Verdict& verdict) {
    const std::string subject = "audit " + peer_.common_name + std::string(verdict.reason_label);
    if (log::allow(subject)) {
        log::warning("bus", "envelope_refused", verdict.reason, {{"cn", peer_.common_name}});
        bus_.audit(
            audit_record({.category = std::string(verdict.reason_label),
                          .action = "refused",
                          .object_type = "envelope",
                          .object_id = excerpt(cut.lane) + "/" + std::to_string(cut.sequence.value),
                          .actor_id = peer_.common_name,
                          .session_id = session_name(),
                          .before = describe_lane(expected_),
                          .after = {},
                          .reason = verdict.reason},
                         bus_.clock.now_ns()));
    }
    refuse(request, verdict.status, verdict.reason, verdict.reason_label, 0ms,
           verdict.expected.value);
}

void ServerSession::accept(const Request& request, Inspection& inspection, wire::Verdict verdict) {
    const wire::CutEnvelope& cut = **inspection.cut;
    auto& to = batch();
    if (verdict.epoch_reset) {
        (verdict.epoch_linked ? bus_.metrics.resets_linked : bus_.metrics.resets_unlinked).add();
        log::warning("bus", "epoch_reset", "a lane begins a new epoch",
                     {{"cn", peer_.common_name},
                      {"lane", lane_->key.lane},
                      {"before", describe_lane(expected_)},
                      {"epoch", cut.epoch.value},
                      {"linked", verdict.epoch_linked}});
        to.write.records.push_back(audit_record(
            {.category = "epoch",
             .action = "reset",
             .object_type = "lane",
             .object_id = peer_.common_name + "/" + lane_->key.lane,
             .actor_id = peer_.common_name,
             .session_id = session_name(),
             .before = describe_lane(expected_),
             .after =
                 describe_lane(verdict.after) +
                 (cut.epoch_reason.empty() ? "" : "; the agent says: " + excerpt(cut.epoch_reason)),
             .reason = verdict.epoch_linked ? "linked" : "not linked"},
            bus_.clock.now_ns()));
        bus_.metrics.audits.add();
    }
    const bool keyed = cut.sequence.value == 0 && !cut.idempotency_key.empty();
    const auto events = cut.events;
    const bool acknowledge = cut.requires_acknowledgment;
    if (cut.sequence.value != 0) {
        to.seen.push_back({cut.epoch, cut.sequence, verdict.digest});
        expected_ = verdict.after;
        to.after = std::move(verdict.after);
    }
    auto record = make_record(inspection, verdict);
    if (keyed && !to.keys.empty())
        record.dedup_key = to.keys.back();
    if (record.kind == RecordKind::gap)
        ++to.gaps;
    if (verdict.clock_ahead)
        bus_.metrics.future_time.add();
    to.write.records.push_back(std::move(record));
    to.answers.push_back(
        {request.id, request.size_bytes, events, false, bus_.clock.steady(), acknowledge});
    if (agent_->rate_limit_events > 0)
        bus_.rates[agent_->agent_id].spend(events);
}

}  // namespace amoskys::link
