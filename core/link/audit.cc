#include "core/link/audit.h"

#include "core/crypto/hash.h"
#include "proto/universal_telemetry.pb.h"

namespace amoskys::link {

wal::OwnedAppend audit_record(const AuditFacts& facts, UnixNanos now_ns) {
    messaging::DeviceTelemetry telemetry;
    telemetry.set_device_id("bus");
    telemetry.set_collection_agent("bus");
    telemetry.set_timestamp_ns(now_ns);
    auto& event = *telemetry.add_events();
    event.set_event_type("AUDIT");
    event.set_severity(facts.action == "refused" || facts.action == "conflict" ? "WARN" : "INFO");
    event.set_source_component("bus");
    auto& audit = *event.mutable_audit_event();
    audit.set_audit_category(facts.category);
    audit.set_action_performed(facts.action);
    audit.set_object_type(facts.object_type);
    audit.set_object_id(facts.object_id);
    audit.set_actor_id(facts.actor_id);
    audit.set_actor_type("agent");
    audit.set_session_id(facts.session_id);
    audit.set_before_value(facts.before);
    audit.set_after_value(facts.after);
    if (!facts.reason.empty())
        event.add_tags(facts.reason);
    wal::OwnedAppend out;
    out.kind = RecordKind::audit;
    out.stored = telemetry.SerializeAsString();
    out.digest = crypto::sha256(as_bytes(out.stored));
    out.source_hash = wal::source_hash("", "audit", "");
    out.first_event_ns = out.last_event_ns = now_ns;
    out.device_hashes = {wal::device_hash("bus")};
    return out;
}

std::string describe_lane(const wire::LaneState& state) {
    const std::string head = to_hex(state.head_signature).substr(0, 16);
    return "epoch " + std::to_string(state.epoch.value) + ", sequence " +
           std::to_string(state.last_sequence.value) + ", head " + (head.empty() ? "none" : head);
}

}  // namespace amoskys::link
