#include "modules/tools/inspect/audit_trail.h"

#include <charconv>

#include "core/base/text.h"
#include "proto/universal_telemetry.pb.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::string_view begins = "begins with ", accepted = "accepted at ";

WalOffset begins_with(std::string_view text) {
    WalOffset out;
    if (text.starts_with(begins))
        std::from_chars(text.data() + begins.size(), text.data() + text.size(), out.value);
    return out;
}

UnixNanos accepted_at(std::string_view text) {
    const auto time = parse_time(text, 0);
    return time ? *time : 0;
}

}  // namespace

std::optional<LaneKey> AuditTrail::add(const wal::RecordView& record) {
    messaging::DeviceTelemetry telemetry;
    std::optional<LaneKey> reset;
    if (!telemetry.ParseFromArray(record.stored.data(), static_cast<int>(record.stored.size())))
        return reset;
    for (const auto& event : telemetry.events()) {
        const auto& audit = event.audit_event();
        const std::string& category = audit.audit_category();
        Said said{record.header.offset, audit.after_value()};
        if (category == "trust" && audit.object_id() == "further agents") {
            trust.clear();
        } else if (category == "trust") {
            trust.insert_or_assign(audit.object_id(), said);
        } else if (category == "retention") {
            retention_begins = std::max(retention_begins, begins_with(said.text));
        } else if (category == "epoch") {
            const std::string& object = audit.object_id();
            const std::size_t slash = object.rfind('/');
            const LaneKey lane{object.substr(0, slash),
                               slash == std::string::npos ? "" : object.substr(slash + 1)};
            if (audit.action_performed() == "reset")
                epochs[lane] = telemetry.timestamp_ns();
            if (audit.action_performed() != "reset_accepted")
                continue;
            for (const std::string& tag : event.tags())
                if (tag.starts_with(accepted))
                    said.time_ns = accepted_at(tag.substr(accepted.size()));
            accepted_resets.insert_or_assign(lane, said);
            reset = lane;
        }
    }
    return reset;
}

}  // namespace amoskys::modules::inspect
