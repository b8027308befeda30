// The collector: targets with their schedule, the session thread, and what goes to the emitter. One
// coroutine on the process's loop; lives as long as the agent runs.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/module/module.h"
#include "modules/collectors/snmp/config.h"
#include "modules/collectors/snmp/decode.h"
#include "modules/collectors/snmp/session.h"
#include "modules/collectors/snmp/target_list.h"

namespace amoskys::snmp {

std::span<const metrics::MetricInfo> snmp_metrics();

Result<std::unique_ptr<module::Collector>> make_snmp_collector(
    const module::CollectorContext& context);

class SnmpCollector final : public module::Collector {
  public:
    using Profiles = std::map<std::string, std::shared_ptr<const Profile>, std::less<>>;
    SnmpCollector(const module::CollectorContext& context, std::shared_ptr<const SnmpConfig> config,
                  Profiles profiles, std::vector<std::pair<Oid, std::string>> vendors,
                  std::vector<TargetSettings> targets, std::shared_ptr<const Credentials> traps);
    io::Task<Result<>> run(module::Emitter& emitter) override;

  private:
    struct Device {
        Target target;
        std::shared_ptr<const Profile> profile;
        std::chrono::steady_clock::duration interval;
        Peer peer;
        std::optional<Dialog> dialog;  // away while a poll is under way
        PollMemory memory;
        RateMemory rates;
        std::string profile_name;
        std::optional<Identity> identity;  // nothing = not asked yet
        bool identifying = false;          // the poll under way asks for it
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
    io::Task<Result<>> look_up_and_submit(SessionThread& sessions, Inbox& inbox,
                                          std::unique_ptr<PollJob> job);
    std::unique_ptr<PollJob> make_job(std::size_t index);
    io::Task<Result<>> take(module::Emitter& emitter, std::unique_ptr<PollJob> job);
    io::Task<Result<>> emit_all(module::Emitter& emitter,
                                std::vector<messaging::DeviceTelemetry> records);
    DeviceContext about(const Device& device, const PollJob& job) const;
    std::vector<messaging::DeviceTelemetry> read_device(Device& device, PollJob& job);
    std::vector<messaging::DeviceTelemetry> lost_device(Device& device, const PollJob& job);
    std::string loss_reason(const Device& device, const PollJob& job) const;
    void note_engine(std::size_t index);
    std::string name_of(const std::string& address) const;
    Result<> submit(SessionThread& sessions, Inbox& inbox, io::TaskGroup& lookups,
                    std::size_t index);
    Result<> go_on(SessionThread& sessions, Inbox& inbox, io::TaskGroup& lookups,
                   std::unique_ptr<PollJob> job);
    void log_missing(Device& device, Decoded& decoded);
    void count(const PollJob& job, std::string_view result);
    void set_status(Device& device, std::string_view status, UnixNanos now_ns);
    Result<> once_result() const;

    module::CollectorContext context_;
    std::shared_ptr<const SnmpConfig> config_;
    Profiles profiles_;  // by name; grows by those with a vendor's added
    std::vector<std::pair<Oid, std::string>> vendors_;
    std::shared_ptr<const Credentials> traps_;  // community and user of notifications
    std::vector<Device> devices_;
    std::set<std::pair<std::chrono::steady_clock::time_point, std::size_t>> due_;
    std::map<Bytes, std::size_t> engines_;  // engine id -> the device that has it
    std::size_t polling_ = 0;               // polls under way
    std::size_t metrics_ = 0;               // events of kind METRIC so far
    bool unflushed_ = false;
    std::string first_loss_;  // of --once
    std::vector<messaging::DeviceTelemetry>
        held_;  // offline records of --once, until anything was read
};

}  // namespace amoskys::snmp
