// The calls of the earlier service besides publishing: devices, health, status, metrics.
#include <algorithm>

#include "core/base/text.h"
#include "core/link/server_session.h"

namespace amoskys::link {
namespace {

using amoskys::bus::ErrorFrame;
constexpr std::uint32_t heartbeat_seconds = 60;
constexpr std::size_t max_samples = 10000;

// "a=\"b\",c=\"d\"" as the registry writes it.
void parse_labels(std::string_view text, google::protobuf::Map<std::string, std::string>& out) {
    while (!text.empty()) {
        const auto equals = text.find("=\"");
        if (equals == std::string_view::npos)
            return;
        const auto end = text.find('"', equals + 2);
        if (end == std::string_view::npos)
            return;
        out[std::string(text.substr(0, equals))] = text.substr(equals + 2, end - equals - 2);
        text = text.substr(end + 1);
        if (text.starts_with(','))
            text.remove_prefix(1);
    }
}

void add_component(messaging::HealthResponse& answer, const std::string& name,
                   std::string_view status, const std::string& message, UnixNanos now_ns) {
    messaging::ComponentHealth component;
    component.set_status(std::string(status));
    component.set_message(message);
    component.set_last_check_ns(now_ns);
    (*answer.mutable_component_health())[name] = std::move(component);
}

}  // namespace

// Why the device may not be registered or updated by this agent; empty = it may.
std::string ServerSession::device_refusal(const std::string& device_id, bool update) const {
    if (device_id.empty() || device_id.size() > max_device_id_bytes)
        return "device_id of " + std::to_string(device_id.size()) + " bytes; allowed: 1 to " +
               std::to_string(max_device_id_bytes);
    if (!trust_->may_send_device(*agent_, device_id))
        return "device '" + excerpt(device_id) + "' is not one of agent '" + peer_.common_name +
               "' (trust map)";
    const auto* device = bus_.devices.find(device_id);
    if (device != nullptr && device->owner != peer_.common_name && !agent_->permissions.admin)
        return "device '" + excerpt(device_id) + "' was registered by another agent";
    if (update && (device == nullptr || device->deregistered))
        return "device '" + excerpt(device_id) + "' is not registered";
    if (device == nullptr && bus_.devices.size() >= max_devices)
        return std::to_string(max_devices) + " devices are registered, which is the limit";
    return {};
}

void ServerSession::store_device(const wire::Frame& answer, const std::string& device_id,
                                 Device device) {
    auto& to = batch();
    to.write.states.push_back({device_state_key(device_id), encode_device(device)});
    to.calls.push_back({answer.request_id(), answer, [this, device_id, device = std::move(device)] {
                            bus_.devices.put(device_id, device);
                        }});
}

void ServerSession::on_register(const wire::Frame& frame,
                                const messaging::DeviceRegistration& request, bool update) {
    if (frame.request_id() == 0)
        return fail(ErrorFrame::INVALID_REQUEST, "a call needs a request_id");
    if (!agent_->permissions.register_devices && !agent_->permissions.admin)
        return send_error(frame.request_id(), ErrorFrame::PERMISSION_DENIED,
                          "agent '" + peer_.common_name + "' may not register devices (trust map)");
    wire::Frame answer;
    answer.set_request_id(frame.request_id());
    auto& response = *answer.mutable_registration_answer();
    response.set_device_id(request.device_id());
    if (auto refusal = device_refusal(request.device_id(), update); !refusal.empty()) {
        response.set_rejection_reason(std::move(refusal));
        return send(answer);
    }
    const auto* known = bus_.devices.find(request.device_id());
    Device device;
    device.owner = known != nullptr ? known->owner : peer_.common_name;
    device.registered_ns =
        known != nullptr && !known->deregistered ? known->registered_ns : bus_.clock.now_ns();
    device.registration = request.SerializeAsString();
    response.set_accepted(true);
    response.set_heartbeat_interval_seconds(heartbeat_seconds);
    response.set_assigned_agent_id(device.owner);
    *response.mutable_allowed_protocols() = request.supported_protocols();
    response.set_encryption_requirements("TLS 1.3");
    store_device(answer, request.device_id(), std::move(device));
}

void ServerSession::on_deregister(const wire::Frame& frame) {
    const auto& request = frame.deregister_device();
    if (frame.request_id() == 0)
        return fail(ErrorFrame::INVALID_REQUEST, "a call needs a request_id");
    if (!agent_->permissions.register_devices && !agent_->permissions.admin)
        return send_error(
            frame.request_id(), ErrorFrame::PERMISSION_DENIED,
            "agent '" + peer_.common_name + "' may not deregister devices (trust map)");
    wire::Frame answer;
    answer.set_request_id(frame.request_id());
    auto& response = *answer.mutable_deregistration_answer();
    if (auto refusal = device_refusal(request.device_id(), true); !refusal.empty()) {
        response.set_reason(std::move(refusal));
        return send(answer);
    }
    Device device = *bus_.devices.find(request.device_id());
    device.deregistered = true;
    response.set_accepted(true);
    store_device(answer, request.device_id(), std::move(device));
}

void ServerSession::on_health(const wire::Frame& frame) {
    wire::Frame answer;
    answer.set_request_id(frame.request_id());
    auto& health = *answer.mutable_health_answer();
    const auto now = bus_.clock.now_ns();
    const auto stats = bus_.log.stats();
    const bool broken = !bus_.log_trouble.empty();
    add_component(health, "log",
                  broken                       ? "UNHEALTHY"
                  : stats.damaged_segments > 0 ? "DEGRADED"
                                               : "HEALTHY",
                  broken ? bus_.log_trouble
                  : stats.damaged_segments > 0
                      ? std::to_string(stats.damaged_segments) + " damaged segments"
                      : std::to_string(stats.records) + " records",
                  now);
    add_component(health, "admission", bus_.admission ? "DEGRADED" : "HEALTHY",
                  bus_.admission ? bus_.admission->reason : "envelopes are taken", now);
    const std::string rivals = bus_.rivals.describe();
    const bool many = bus_.open_sessions >= bus_.limits.max_sessions;
    add_component(health, "sessions", many || !rivals.empty() ? "DEGRADED" : "HEALTHY",
                  rivals.empty() ? std::to_string(bus_.open_sessions) + " of " +
                                       std::to_string(bus_.limits.max_sessions)
                                 : rivals,
                  now);
    std::string_view overall = "HEALTHY";
    for (const auto& [name, component] : health.component_health()) {
        if (component.status() == "UNHEALTHY")
            overall = "UNHEALTHY";
        if (component.status() == "DEGRADED" && overall == "HEALTHY")
            overall = "DEGRADED";
    }
    health.set_overall_status(std::string(overall));
    health.set_timestamp_ns(now);
    const auto& asked = frame.health_request().components();
    for (const auto& name : asked)
        if (!health.component_health().contains(name))
            return send_error(
                frame.request_id(), ErrorFrame::NOT_FOUND,
                "no component '" + excerpt(name) + "'; there are log, admission, sessions");
    if (!asked.empty()) {
        auto& components = *health.mutable_component_health();
        for (const auto* name : {"log", "admission", "sessions"})
            if (std::ranges::find(asked, name) == asked.end())
                components.erase(name);
    }
    send(answer);
}

void ServerSession::on_status(const wire::Frame& frame) {
    wire::Frame answer;
    answer.set_request_id(frame.request_id());
    auto& status = *answer.mutable_status_answer();
    const auto uptime =
        std::chrono::duration_cast<std::chrono::seconds>(bus_.clock.steady() - bus_.started);
    status.set_service_version(bus_.version);
    status.set_uptime_seconds(static_cast<std::uint64_t>(uptime.count()));
    if (frame.status_request().include_device_count())
        status.set_connected_devices(static_cast<std::uint32_t>(bus_.devices.active()));
    status.set_total_events_processed(bus_.events_accepted);
    status.set_events_per_second(static_cast<std::uint64_t>(bus_.events_per_second));
    status.set_current_load(static_cast<float>(bus_.budget.load()));
    if (frame.status_request().include_metrics()) {
        auto& out = *status.mutable_service_metrics();
        const auto stats = bus_.log.stats();
        out["sessions"] = std::to_string(bus_.open_sessions);
        out["agents"] = std::to_string(
            std::set<std::string>(bus_.connected_agents.begin(), bus_.connected_agents.end())
                .size());
        out["lanes"] = std::to_string(bus_.lanes.size());
        out["devices"] = std::to_string(bus_.devices.active());
        out["log_records"] = std::to_string(stats.records);
        out["log_bytes"] = std::to_string(stats.file_bytes);
        out["log_newest"] = std::to_string(stats.newest.value);
        out["log_queue_bytes"] = std::to_string(bus_.queued_bytes);
        out["disk_free_bytes"] = std::to_string(bus_.free_bytes);
    }
    send(answer);
}

void ServerSession::on_metrics(const wire::Frame& frame) {
    wire::Frame answer;
    answer.set_request_id(frame.request_id());
    auto& response = *answer.mutable_metrics_answer();
    const auto now = bus_.clock.now_ns();
    response.set_collection_timestamp_ns(now);
    const auto& asked = frame.metrics_request().metric_names();
    // Only the present is known: a time range that does not reach it has no data points.
    const auto until = frame.metrics_request().end_time_ns();
    std::size_t count = 0, size_bytes = 0;
    if (until == 0 || until >= now) {
        for (const auto& sample : bus_.metrics.registry.samples()) {
            if (!asked.empty() && std::ranges::find(asked, sample.name) == asked.end())
                continue;
            size_bytes += sample.name.size() + 2 * sample.labels.size() + 64;
            if (++count > max_samples || size_bytes > wire::default_max_frame_bytes / 2)
                break;
            auto& series = *response.add_metrics();
            series.set_metric_name(sample.name);
            parse_labels(sample.labels, *series.mutable_labels());
            auto& point = *series.add_data_points();
            point.set_timestamp_ns(now);
            point.set_value(sample.value);
        }
    }
    send(answer);
}

}  // namespace amoskys::link
