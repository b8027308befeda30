#include "core/wire/audit.h"

#include "proto/universal_telemetry.pb.h"

namespace amoskys::wire {

std::string encode_audit(const AuditEntry& entry) {
    messaging::DeviceTelemetry record;
    record.set_device_id(entry.writer);
    record.set_timestamp_ns(entry.time_ns);
    record.set_collection_agent("audit");
    auto& event = *record.add_events();
    event.set_event_type("AUDIT");
    event.set_severity(entry.severity);
    auto& audit = *event.mutable_audit_event();
    audit.set_audit_category(entry.category);
    audit.set_action_performed(entry.action);
    audit.set_object_type(entry.object_type);
    audit.set_object_id(entry.object_id);
    audit.set_actor_id(entry.actor_id);
    audit.set_before_value(entry.before);
    audit.set_after_value(entry.after);
    return record.SerializeAsString();
}

}  // namespace amoskys::wire
