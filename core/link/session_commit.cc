// From batch to acknowledgement: what goes to the log, and what its outcome means for the client
// and the lane.
#include <algorithm>

#include "core/base/text.h"
#include "core/crypto/hash.h"
#include "core/link/server_session.h"
#include "core/log/log.h"
#include "core/wire/legacy.h"
#include "core/wire/state_codec.h"

namespace amoskys::link {
namespace {

using wire::Status;
constexpr std::uint32_t failed_write_hint_ms = 500;

// custody rule 5
std::string dedup_key(std::string_view agent_id, std::string_view key) {
    if (key.empty())
        return {};
    constexpr std::uint8_t zero[1] = {0};
    return to_string(crypto::blake2b_256({as_bytes(agent_id), zero, as_bytes(key)}));
}

// By any key that is good now: a legacy envelope names none.
bool legacy_signature_fits(const crypto::TrustedAgent& agent, const wire::CutLegacy& cut,
                           const std::string& signed_bytes, UnixNanos now_ns) {
    return std::ranges::any_of(agent.keys, [&](const crypto::TrustedKey& key) {
        return key.algorithm == crypto::Algorithm::ed25519 && key.usable_at(now_ns) &&
               crypto::verify_bytes(key.key, as_bytes(signed_bytes), cut.signature);
    });
}

}  // namespace

void ServerSession::flush() {
    if (in_flight_ || !batch_ || closing_)
        return;
    in_flight_ = std::move(batch_);
    batch_.reset();
    auto& write = in_flight_->write;
    if (in_flight_->after && lane_ != nullptr) {
        write.states.push_back(
            {lane_state_key(lane_->key), wire::encode_lane_state(*in_flight_->after)});
        lane_->writing = true;
    }
    if (write.records.empty() && write.states.empty()) {  // duplicates of what is committed
        const Result<wal::Appended> nothing = wal::Appended{};
        return on_committed(nothing);
    }
    write_ready_ = true;
}

std::optional<wal::WriteRequest> ServerSession::take_write() {
    if (!write_ready_)
        return std::nullopt;
    write_ready_ = false;
    return std::move(in_flight_->write);
}

void ServerSession::on_write_refused() {
    const Result<wal::Appended> full =
        make_error(ErrorKind::unavailable, "log_queue_full", "the log's write queue is full");
    on_committed(full);
}

void ServerSession::on_committed(const Result<wal::Appended>& result) {
    Batch done = std::move(*in_flight_);
    in_flight_.reset();
    drop_keys(done);
    if (result) {
        if (done.after && lane_ != nullptr)
            lane_->committed = *done.after;
        for (const auto& seen : done.seen)
            lane_->remember(seen);
        send_acks(done);
        for (auto& call : done.calls) {
            call.apply();
            send(call.frame);
        }
    } else {
        const bool full = result.error().code == "log_queue_full";
        const std::string reason =
            full ? result.error().message : "the log cannot be written: " + result.error().message;
        Batch later;
        if (batch_)
            later = std::move(*batch_);
        batch_.reset();
        drop_keys(later);
        if (lane_ != nullptr)
            expected_ = lane_->committed;
        const auto status = full ? Status::overload : Status::retry;
        retry_all(done, status, reason);
        retry_all(later, status, reason);
    }
    if (lane_ != nullptr && done.after)
        lane_->settle();
    flush();
    finish_drain();
}

void ServerSession::drop_keys(const Batch& done) {
    for (const auto& key : done.keys)
        bus_.keys_in_flight.erase(key);
}

// Ranges where request ids follow each other without a refused one between them.
void ServerSession::send_acks(const Batch& done) {
    const auto now = bus_.clock.steady();
    const auto& answers = done.answers;
    for (std::size_t begin = 0; begin < answers.size();) {
        std::size_t end = begin;
        std::uint64_t events = 0, size_bytes = 0, fresh = 0;
        while (end < answers.size() &&
               (end == begin || (answers[end].request_id == answers[end - 1].request_id + 1 &&
                                 !answers[end].alone && !answers[end - 1].alone))) {
            const auto& answer = answers[end++];
            size_bytes += answer.size_bytes;
            bus_.metrics.ack_seconds.observe(
                std::chrono::duration<double>(now - answer.arrived).count());
            if (answer.duplicate)
                continue;
            events += answer.events;
            ++fresh;
        }
        const auto count = end - begin;
        wire::Frame frame;
        auto& ack = *frame.mutable_ack();
        if (count == 1) {
            frame.set_request_id(answers[begin].request_id);
        } else {
            ack.set_first_request_id(answers[begin].request_id);
            ack.set_last_request_id(answers[end - 1].request_id);
        }
        if (lane_ != nullptr) {
            ack.set_committed_epoch(lane_->committed.epoch.value);
            ack.set_committed_sequence(lane_->committed.last_sequence.value);
        }
        ack.mutable_ack()->set_events_accepted(static_cast<std::uint32_t>(events));
        ack.mutable_ack()->set_processed_timestamp_ns(bus_.clock.now_ns());
        ack.mutable_ack()->set_current_load(static_cast<float>(bus_.budget.load()));
        if (!closing_)
            send(frame);
        bus_.metrics.accepted.add(fresh);
        bus_.metrics.answered(Status::ok, count);
        bus_.metrics.events.add(events);
        bus_.events_accepted += events;
        if (!closing_) {
            answered_envelopes_ += count;
            answered_bytes_ += size_bytes;
            bus_.budget.give_back(size_bytes);
        }
        begin = end;
    }
    bus_.metrics.gaps.add(done.gaps);
    grant();
}

void ServerSession::retry_all(const Batch& failed, wire::Status status, const std::string& reason) {
    for (const auto& answer : failed.answers) {
        if (closing_)
            return;
        refuse({answer.request_id, answer.size_bytes, {}}, status, reason,
               status == Status::overload ? "overload" : "log_failed",
               std::chrono::milliseconds(failed_write_hint_ms));
    }
    for (const auto& call : failed.calls) {
        if (closing_)
            return;
        send_error(call.request_id, amoskys::bus::ErrorFrame::UNAVAILABLE, reason,
                   std::chrono::milliseconds(failed_write_hint_ms));
        if (subscription_ && subscription_->request_id == call.request_id) {
            end_label_ = "log_failed";
            end_subscription();
        }
    }
}

// True where the request has been answered or joined to the batch.
bool ServerSession::unsequenced_duplicate(const Request& request, std::string_view agent_key,
                                          const Digest& digest, std::string& key32) {
    key32 = dedup_key(peer_.common_name, agent_key);
    if (key32.empty())
        return false;
    const auto changed = [&] {
        refuse(request, Status::invalid,
               "idempotency_key was used for other content within the duplicate window",
               "key_reused");
        return true;
    };
    if (const auto found = bus_.keys_in_flight.find(key32); found != bus_.keys_in_flight.end()) {
        if (found->second != digest)
            return changed();
        refuse(request, Status::retry, "the same envelope is being committed",
               "duplicate_in_flight", std::chrono::milliseconds(50));
        return true;
    }
    const auto stored = bus_.log.find_dedup(key32);
    if (!stored || !*stored)
        return false;
    if ((*stored)->digest != digest)
        return changed();
    bus_.metrics.duplicates.add();
    batch().answers.push_back({request.id, request.size_bytes, 0, true, bus_.clock.steady()});
    return true;
}

// messaging.Envelope: the signed bytes are {version, ts_ns, idempotency_key, flow} (custody rule
// 14).
void ServerSession::publish_legacy(const Request& request) {
    if (!agent_->permissions.publish_unsequenced)
        return refuse(
            request, Status::security_violation,
            "agent '" + peer_.common_name + "' may not publish without sequence (trust map)",
            "unsequenced_denied");
    const auto cut = wire::cut_legacy(request.envelope, bus_.limits.max_envelope_bytes);
    if (!cut)
        return refuse_form(request, cut.error());
    const auto envelope = wire::decode_legacy(request.envelope);
    if (!envelope)
        return refuse_form(request, envelope.error());
    const std::string device(cut->device.empty() ? std::string_view(peer_.common_name)
                                                 : cut->device);
    if (!trust_->may_send_device(*agent_, device))
        return refuse(request, Status::security_violation,
                      "device '" + excerpt(device) + "' is not one of agent '" + peer_.common_name +
                          "' (trust map)",
                      "device_denied");
    const auto now_ns = bus_.clock.now_ns();
    const auto ahead_ns = cut->ts_ns > now_ns ? cut->ts_ns - now_ns : 0;
    if (ahead_ns > wire::clock_limit_ns)
        return refuse(request, Status::invalid,
                      "ts_ns is " + std::to_string(ahead_ns / 1'000'000'000U) +
                          " s ahead of the bus (86400 s are allowed)",
                      "clock_ahead");
    if (!legacy_signature_fits(*agent_, *cut, wire::legacy_signed_bytes(*envelope), now_ns))
        return refuse(
            request, Status::security_violation,
            "bad signature (legacy envelope; its key is pinned to Ed25519 in the trust map)",
            "bad_signature");
    const Digest digest = crypto::sha256(request.envelope);
    std::string key32;
    if (unsequenced_duplicate(request, cut->idempotency_key, digest, key32))
        return;
    wal::OwnedAppend record;
    record.kind = RecordKind::legacy;
    record.stored = to_string(request.envelope);
    record.digest = digest;
    record.signature = to_string(cut->signature);
    record.source_hash = wal::source_hash(peer_.common_name, "", "");
    record.first_event_ns = record.last_event_ns = cut->event_ns;
    if (!cut->device.empty())
        record.device_hashes = {wal::device_hash(cut->device)};
    record.dedup_key = key32;
    if (ahead_ns > wire::clock_flag_ns) {
        record.flags |= wal::flag_future_time;
        bus_.metrics.future_time.add();
    }
    if (!key32.empty()) {
        bus_.keys_in_flight.emplace(key32, digest);
        batch().keys.push_back(key32);
    }
    batch().write.records.push_back(std::move(record));
    const std::uint32_t events = envelope->has_flow() ? 1 : 0;
    batch().answers.push_back({request.id, request.size_bytes, events, false, bus_.clock.steady()});
    if (agent_->rate_limit_events > 0)
        bus_.rates[agent_->agent_id].spend(events);
}

}  // namespace amoskys::link
