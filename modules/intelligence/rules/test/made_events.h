// Events for tests, as the decoder would hand them out; they own what they point to.
#pragma once

#include <memory>
#include <string>

#include "core/wire/event.h"

namespace amoskys::rules {

struct MadeEvent {
    std::string device, severity = "INFO";
    std::shared_ptr<messaging::ProcessEvent> process;
    std::shared_ptr<messaging::FlowEvent> flow;
    std::shared_ptr<messaging::TelemetryEvent> event;
    UnixNanos time_ns = 0;
    std::uint64_t offset = 0;

    wire::Event view() const {
        wire::Event out;
        out.time_ns = time_ns;
        out.device = device;
        out.source = "test";
        out.severity = severity;
        out.offset = offset;
        out.process = process.get();
        out.flow = flow.get();
        out.event = event.get();
        out.kind = process != nullptr ? wire::EventKind::process
                   : flow != nullptr  ? wire::EventKind::flow
                                      : wire::EventKind::log;
        if (event != nullptr && event->has_security_event())
            out.kind = wire::EventKind::security;
        return out;
    }
};

inline MadeEvent made_process(std::string device, double second, std::string exe,
                              std::string cmdline, std::string login_user = {}) {
    MadeEvent out;
    out.device = std::move(device);
    out.time_ns = static_cast<UnixNanos>(second * 1e9);
    out.process = std::make_shared<messaging::ProcessEvent>();
    out.process->set_kind("EXEC");
    out.process->set_exe(exe);
    out.process->set_cmdline(cmdline);
    out.process->set_login_user(login_user);
    return out;
}

inline MadeEvent made_flow(std::string device, double second, std::string source,
                           std::string target, std::uint32_t port, std::string state = "SF",
                           std::uint64_t bytes_sent = 1000) {
    MadeEvent out;
    out.device = std::move(device);
    out.time_ns = static_cast<UnixNanos>(second * 1e9);
    out.flow = std::make_shared<messaging::FlowEvent>();
    out.flow->set_src_ip(source);
    out.flow->set_dst_ip(target);
    out.flow->set_src_port(40'000);
    out.flow->set_dst_port(port);
    out.flow->set_protocol("TCP");
    out.flow->set_conn_state(state);
    out.flow->set_bytes_sent(bytes_sent);
    return out;
}

inline MadeEvent made_log(std::string device, double second, std::string program,
                          std::string message) {
    MadeEvent out;
    out.device = std::move(device);
    out.time_ns = static_cast<UnixNanos>(second * 1e9);
    out.event = std::make_shared<messaging::TelemetryEvent>();
    out.event->set_event_type("LOG");
    out.event->mutable_log_data()->set_process_name(program);
    out.event->mutable_log_data()->set_message(message);
    return out;
}

}  // namespace amoskys::rules
