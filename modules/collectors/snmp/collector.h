// The collector: targets with their schedule, the session thread, and what goes to the emitter. One
// coroutine on the process's loop; lives as long as the agent runs.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/module/module.h"
#include "modules/collectors/snmp/config.h"
#include "modules/collectors/snmp/decode.h"
#include "modules/collectors/snmp/session.h"
#include "modules/collectors/snmp/target.h"

namespace amoskys::snmp {

std::span<const metrics::MetricInfo> snmp_metrics();

Result<std::unique_ptr<module::Collector>> make_snmp_collector(
    const module::CollectorContext& context);

class SnmpCollector final : public module::Collector {
  public:
    SnmpCollector(const module::CollectorContext& context, std::shared_ptr<const SnmpConfig> config,
                  std::shared_ptr<const Profile> profile, std::vector<Target> targets);
    io::Task<Result<>> run(module::Emitter& emitter) override;

  private:
    struct Device {
        Target target;
        PollMemory memory;
        std::chrono::steady_clock::time_point due;
        bool polling = false;
        std::string status;  // "", online, partial, offline
        UnixNanos status_since_ns = 0;
        std::vector<std::string> missing;  // as last logged
    };
    struct Inbox;

    io::Task<Result<>> poll_until_done(module::Emitter& emitter, SessionThread& sessions,
                                       Inbox& inbox, io::TaskGroup& lookups);
    Result<> submit_due(SessionThread& sessions, Inbox& inbox, io::TaskGroup& lookups);
    io::Task<Result<>> look_up_and_submit(SessionThread& sessions, Inbox& inbox, std::size_t index);
    std::unique_ptr<PollJob> make_job(std::size_t index) const;
    io::Task<Result<>> take(module::Emitter& emitter, std::unique_ptr<PollJob> job);
    io::Task<Result<>> emit_all(module::Emitter& emitter,
                                std::vector<messaging::DeviceTelemetry> records);
    std::vector<messaging::DeviceTelemetry> read_device(Device& device, PollJob& job);
    std::vector<messaging::DeviceTelemetry> lost_device(Device& device, const PollJob& job);
    std::string loss_reason(const PollJob& job) const;
    void log_missing(Device& device, Decoded& decoded);
    void count(const PollJob& job, std::string_view result);
    void set_status(Device& device, std::string_view status, UnixNanos now_ns);
    std::chrono::steady_clock::time_point next_due() const;
    Result<> once_result() const;

    module::CollectorContext context_;
    std::shared_ptr<const SnmpConfig> config_;
    std::shared_ptr<const Profile> profile_;
    std::vector<Device> devices_;
    std::size_t polling_ = 0;  // polls under way
    std::size_t metrics_ = 0;  // events of kind METRIC so far
    bool unflushed_ = false;
    std::string first_loss_;  // of --once
    std::vector<messaging::DeviceTelemetry>
        held_;  // offline records of --once, until anything was read
};

}  // namespace amoskys::snmp
